// News of the server, for whoever in this tab wants some.
import { token } from './access';
import { Stream, type Condition, type News } from './sse';

type Listener = { topic: string; hear: (event: string, data: any) => void };

export const live = $state({ condition: 'connecting' as Condition, since: '', returns: 0 });

const listeners = new Set<Listener>();
let follow: (topics: string[]) => void = () => {};
let is_open = false;

function become(condition: Condition) {
  if (condition === live.condition) return;
  const was = live.condition;
  live.condition = condition;
  if (condition === 'lost' || condition === 'refused') {
    if (was === 'live' || !live.since) live.since = new Date().toLocaleTimeString();
  } else if (condition === 'live' && live.since) {
    live.since = '';
    // Whoever shows something asks for it again: the server may be another one by now.
    live.returns += 1;
  }
}

function hear(news: News) {
  const data = JSON.parse(news.data || 'null');
  for (const { topic, hear } of listeners) {
    const is_meant =
      news.event === 'resync' ||
      topic === news.event ||
      (topic === `execution:${data?.id}` && (news.event === 'execution' || news.event === 'deleted'));
    if (is_meant) hear(news.event, data);
  }
}

function open() {
  is_open = true;
  if (typeof SharedWorker === 'undefined') return openAlone();
  const worker = new SharedWorker(new URL('./stream.worker.ts', import.meta.url), { type: 'module', name: 'everstep' });
  let topics: string[] = [];
  const say = () => worker.port.postMessage({ topics, token: token() });
  worker.port.onmessage = ({ data }) => (data.news ? hear(data.news) : become(data.condition));
  follow = (now) => {
    topics = now;
    say();
  };
  setInterval(say, 30_000);
  addEventListener('pagehide', () => worker.port.postMessage({ bye: true }));
  addEventListener('pageshow', (event) => (event as PageTransitionEvent).persisted && say());
}

// Without shared workers only the tab that is looked at has a stream.
function openAlone() {
  const stream = new Stream(hear, become);
  let topics: string[] = [];
  const say = () => stream.follow(document.hidden ? '' : topics.join(','), token());
  follow = (now) => {
    topics = now;
    say();
  };
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) live.returns += 1;
    say();
  });
}

let is_due = false;
function say() {
  if (is_due) return;
  is_due = true;
  // A view that goes and one that comes change the topics once.
  queueMicrotask(() => {
    is_due = false;
    follow([...new Set([...listeners].map(({ topic }) => topic))].sort());
  });
}

// Hears of a topic until the function that this gives is called.
export function listen(topic: string, hear: Listener['hear']): () => void {
  if (!is_open) open();
  const listener = { topic, hear };
  listeners.add(listener);
  say();
  return () => {
    listeners.delete(listener);
    say();
  };
}
