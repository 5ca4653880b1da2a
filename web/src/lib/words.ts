// How things look as text. The words for people come from the server; these are only forms.
import type { Json, Totals } from './types';

export const STATUSES: Record<string, { glyph: string; word: string; tone: string }> = {
  pending: { glyph: '○', word: 'Pending', tone: 'plain' },
  queued: { glyph: '○', word: 'Queued', tone: 'plain' },
  running: { glyph: '◐', word: 'Running', tone: 'blue' },
  waiting: { glyph: '◷', word: 'Waiting', tone: 'amber' },
  retrying: { glyph: '↻', word: 'Retrying', tone: 'amber' },
  paused: { glyph: '‖', word: 'Paused', tone: 'amber' },
  cancelling: { glyph: '◌', word: 'Cancelling', tone: 'plain' },
  completed: { glyph: '✓', word: 'Completed', tone: 'green' },
  succeeded: { glyph: '✓', word: 'Succeeded', tone: 'green' },
  completed_with_errors: { glyph: '!', word: 'Completed with errors', tone: 'amber' },
  failed: { glyph: '✕', word: 'Failed', tone: 'red' },
  timed_out: { glyph: '✕', word: 'Timed out', tone: 'red' },
  lost: { glyph: '⟲', word: 'Lost', tone: 'amber' },
  cancelled: { glyph: '⊘', word: 'Cancelled', tone: 'plain' },
  skipped: { glyph: '–', word: 'Skipped', tone: 'plain' },
};

export function statusOf(status: string) {
  return STATUSES[status] ?? { glyph: '·', word: status.replaceAll('_', ' '), tone: 'plain' };
}

const UNFINISHED = ['pending', 'running', 'cancelling'];
const ENDED = ['completed', 'completed_with_errors', 'failed', 'cancelled', 'timed_out'];
export const hasEnded = (status: string) => ENDED.includes(status);

// The statuses that a list is asked for with these words, and how many there are of them. What has
// not ended is always all counted.
export function countOf(words: string, { by_status, is_exact }: Totals): string {
  const wanted = words ? words.split(',') : [...UNFINISHED, ...ENDED];
  const statuses = wanted.flatMap((word) => (word === 'unfinished' ? UNFINISHED : [word]));
  const count = statuses.reduce((sum, status) => sum + (by_status[status] ?? 0), 0);
  return atLeast(count, is_exact || statuses.every((status) => !hasEnded(status)));
}

export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return '';
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (n: number) => String(n).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)}h ${two(Math.floor((whole % 3600) / 60))}m`;
  return `${Math.floor(whole / 86_400)}d ${two(Math.floor((whole % 86_400) / 3600))}h`;
}

// How long something may still take, as far as it can be guessed.
export const left = (seconds: number) => `about ${duration(Math.max(1, seconds)).replace('.0 s', ' s')} left`;

export function ago(time: string, now: number): string {
  const seconds = Math.max(0, Math.floor((now - Date.parse(time)) / 1000));
  if (seconds < 5) return 'just now';
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return many(Math.floor(seconds / 86_400), 'day') + ' ago';
}

export function clock(time: string): string {
  return new Date(time).toLocaleString(undefined, {
    day: '2-digit', month: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit',
  });
}

export function bytes(count: number): string {
  if (count < 1024) return `${count} B`;
  if (count < 1024 ** 2) return `${(count / 1024).toFixed(1)} KB`;
  if (count < 1024 ** 3) return `${(count / 1024 ** 2).toFixed(1)} MB`;
  return `${(count / 1024 ** 3).toFixed(1)} GB`;
}

export const many = (count: number, one: string, more = `${one}s`) => `${count.toLocaleString('en')} ${count === 1 ? one : more}`;

// A count that may be more.
export const atLeast = (count: number, is_exact: boolean) => `${count.toLocaleString('en')}${is_exact ? '' : '+'}`;

// A value in one line, its beginning if it is long.
export function brief(value: Json, most: number): string {
  const whole = value === null ? '–' : typeof value === 'string' ? value : JSON.stringify(value);
  return whole.length > most ? `${whole.slice(0, most)}…` : whole;
}

const plain = (value: string) => value.replaceAll('_', ' ');
export const sentence = (value: string) => plain(value).replace(/^./, (c) => c.toUpperCase());

// A colour from a definition, if it is one. It is never text or a rule, only a value.
export function colourOf(colour: string | null): string {
  return colour && /^(#[0-9a-f]{6}|[a-z]{2,20})$/i.test(colour) ? colour : 'currentColor';
}

// The letters of an execution's handle, as lists show them: the server makes them of the id like this,
// and the events of the log name executions by their ids alone.
const LETTERS = 'zyxwvutsrqpnmkhg';
export const handleOf = (id: string) => [...id.replaceAll('-', '').slice(-15, -9)].map((digit) => LETTERS[parseInt(digit, 16)] ?? '').join('');
