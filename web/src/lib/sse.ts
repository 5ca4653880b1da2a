// One stream of server-sent events, read with fetch: an EventSource cannot send a token, and cannot
// say why it was refused.

export type News = { event: string; data: string };
export type Condition = 'connecting' | 'live' | 'lost' | 'refused';

export class Stream {
  private after: string | null = null;
  private topics = '';
  private token: string | null = null;
  private abort: AbortController | null = null;
  private waits = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private tell: (news: News) => void,
    private become: (condition: Condition) => void,
  ) {}

  // Follows these topics from now on. Where it was is kept, so that nothing in between is missed.
  follow(topics: string, token: string | null) {
    if (topics === this.topics && token === this.token && this.abort) return;
    if (topics === '') this.after = null;
    [this.topics, this.token] = [topics, token];
    this.waits = 0;
    this.begin();
  }

  private begin() {
    clearTimeout(this.timer);
    this.abort?.abort();
    this.abort = null;
    if (this.topics) void this.run((this.abort = new AbortController()));
  }

  private async run(abort: AbortController) {
    const position = this.after === null ? '' : `&after=${this.after}`;
    const headers: Record<string, string> = this.token ? { Authorization: `Bearer ${this.token}` } : {};
    try {
      const url = `/api/v1/stream?topics=${encodeURIComponent(this.topics)}${position}`;
      const response = await fetch(url, { headers, signal: abort.signal, cache: 'no-store' });
      if (response.status === 401 || response.status === 403) return this.become('refused');
      if (!response.ok || !response.body) {
        // One of the executions may be gone. Whoever shows it finds out, and follows it no longer.
        throw new Error(String(response.status));
      }
      this.become('live');
      this.waits = 0;
      await this.read(response.body);
    } catch {
      // Below it is tried again, whatever it was.
    }
    if (abort.signal.aborted) return;
    this.become('lost');
    const wait = Math.min(1000 * 2 ** this.waits++, 10_000);
    this.timer = setTimeout(() => this.begin(), wait);
  }

  private async read(body: ReadableStream<Uint8Array>) {
    const reader = body.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>).getReader();
    let rest = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split('\n\n');
      rest = blocks.pop() ?? '';
      blocks.forEach((block) => this.take(block));
    }
  }

  private take(block: string) {
    let event = '';
    const data: string[] = [];
    for (const line of block.split('\n')) {
      const colon = line.indexOf(': ');
      const [field, value] = [line.slice(0, colon), line.slice(colon + 2)];
      if (field === 'id') this.after = value;
      if (field === 'event') event = value;
      if (field === 'data') data.push(value);
    }
    if (event) this.tell({ event, data: data.join('\n') });
  }
}
