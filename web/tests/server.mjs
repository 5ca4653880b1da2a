// A real server with a data folder of its own, as the tests need it: it can be killed and started again
// at the same place.
import { spawn, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

export const ROOT = resolve(import.meta.dirname, '../..');
export const BINARY = resolve(process.env.EVERSTEP_BINARY ?? join(ROOT, 'target/debug/everstep'));
const CONFIG = join(import.meta.dirname, 'everstep.toml');

export class Server {
  // One with a token lets nobody in without.
  static async begin({ guarded = false, config = CONFIG } = {}) {
    const server = new Server();
    server.config = config;
    server.folder = mkdtempSync(join(tmpdir(), 'everstep-page-'));
    if (guarded) server.token = server.newToken('tests', 'admin');
    await server.start('127.0.0.1:0');
    await server.deploy('import', readFileSync(join(ROOT, 'examples/import/import.yaml'), 'utf8'));
    if (config === CONFIG) await server.deploy('hostile', readFileSync(join(import.meta.dirname, 'hostile.json'), 'utf8'), 'application/json');
    return server;
  }

  async start(listen) {
    const args = ['serve', '--config', this.config, '--data', join(this.folder, 'data'), '--listen', listen, '--json'];
    const env = { ...process.env, EVERSTEP_IMPORT_DELAY_MS: '60' };
    this.process = spawn(BINARY, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.said = '';
    this.process.stderr.on('data', (data) => (this.said += data));
    for await (const line of createInterface({ input: this.process.stdout })) {
      this.url = JSON.parse(line).url;
      this.process.stdout.resume();
      return;
    }
    throw new Error(`the server did not start: ${this.said}`);
  }

  async kill(signal = 'SIGKILL') {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const over = new Promise((done) => this.process.once('exit', done));
    this.process.kill(signal);
    await over;
  }

  again() {
    return this.start(new URL(this.url).host);
  }

  async end() {
    await this.kill('SIGTERM');
    rmSync(this.folder, { recursive: true, force: true });
  }

  async ask(method, path, body, type = 'application/json') {
    const headers = body === undefined ? {} : { 'Content-Type': type };
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const response = await fetch(`${this.url}/api/v1/${path}`, { method, headers, body: text });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
    return answer;
  }

  deploy(name, text, type = 'application/yaml') {
    return this.ask('PUT', `workflows/${name}`, text, type);
  }

  // The input of an import of so many files.
  inbox(files) {
    const inbox = mkdtempSync(join(this.folder, 'inbox-'));
    for (let n = 0; n < files; n += 1) writeFileSync(join(inbox, `file-${n}.txt`), `line ${n}\n`.repeat(20));
    return { import_path: inbox, output: join(inbox, '../', `index-${n()}.json`) };
  }

  // An import of so many files, one batch for each ten of them.
  async import(files, extra = {}) {
    return (await this.ask('POST', 'executions', { workflow: 'import', input: { ...this.inbox(files), ...extra } })).id;
  }

  // A worker of another process. It is over when it was drained, or killed.
  worker(name) {
    const args = ['worker', '--server', this.url, '--name', name, '--config', join(import.meta.dirname, 'worker.toml')];
    const child = spawn(BINARY, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    const over = new Promise((done) => child.once('exit', done));
    return { over, kill: () => child.kill('SIGKILL') };
  }

  newToken(name, role) {
    const args = ['token', 'create', name, '--role', role, '--data', join(this.folder, 'data')];
    return execFileSync(BINARY, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  }

  // What the command line shows, from the running server.
  cli(...args) {
    const data = join(this.folder, 'data');
    return JSON.parse(execFileSync(BINARY, [...args, '--data', data, '--json'], { encoding: 'utf8' }));
  }

  // A line of a shell that says `everstep`, with the data of this server.
  shell(line) {
    const env = { ...process.env, EVERSTEP_DATA: join(this.folder, 'data'), BINARY };
    return execFileSync('sh', ['-c', `everstep() { "$BINARY" "$@"; }; ${line}`], { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'pipe'] });
  }

  card(id, at) {
    return this.ask('GET', `executions/${id}${at ? `?at=${at}` : ''}`);
  }

  async until(id, holds, what) {
    const by = Date.now() + 60_000;
    for (;;) {
      const card = await this.card(id);
      if (holds(card)) return card;
      if (Date.now() > by) throw new Error(`${id} did not come to be ${what}: ${card.status}`);
      await new Promise((done) => setTimeout(done, 50));
    }
  }

  ended(id) {
    return this.until(id, (card) => card.ended_at !== null, 'over');
  }
}

let count = 0;
const n = () => (count += 1);
