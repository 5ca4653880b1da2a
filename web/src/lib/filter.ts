// What a list of executions is asked for. The address says it, so that a link shows the same.
import { hasEnded } from './words';
import type { Row } from './types';

export type Wanted = { status: string; workflow: string; q: string; parent: string; since: string };

export const TABS: [string, string][] = [
  ['', 'All'],
  ['unfinished', 'In flight'],
  ['failed,timed_out,completed_with_errors', 'Needs attention'],
  ['failed,timed_out', 'Failed'],
  ['completed,completed_with_errors', 'Done'],
  ['cancelled', 'Cancelled'],
];

const HOUR_MS = 3_600_000;
export const SINCE: Record<string, { word: string; ms: number }> = {
  '1h': { word: 'in the last hour', ms: HOUR_MS },
  '24h': { word: 'in the last 24 hours', ms: 24 * HOUR_MS },
  '7d': { word: 'in the last 7 days', ms: 7 * 24 * HOUR_MS },
};

// The moment from which on they began; any when it is not one of those words.
export function begunAfter(since: string): string {
  const span = SINCE[since];
  return span ? new Date(Date.now() - span.ms).toISOString() : '';
}

// Whether a list that was asked for with this filter has the row, as the server would say.
export function fits(row: Row, filter: Wanted): boolean {
  if (filter.parent ? row.parent !== filter.parent : row.is_part) return false;
  if (filter.workflow && row.workflow !== filter.workflow) return false;
  if (filter.since && Date.parse(row.started_at) < Date.parse(filter.since)) return false;
  const words = filter.status.split(',').filter(Boolean);
  if (words.length && !words.includes(row.status) && !(words.includes('unfinished') && !hasEnded(row.status))) return false;
  const text = filter.q.toLowerCase();
  const seen = [row.workflow, row.name, row.step_name, row.message, row.failure?.error, row.failure?.cause];
  return !text || seen.some((part) => part?.toLowerCase().includes(text)) || row.handle.startsWith(text) || row.id.startsWith(text);
}
