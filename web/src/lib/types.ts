// The server's documents, as far as the page shows them. docs/SERVER.md and the code of `view/` say
// what each field means; the page draws them and works nothing out from events.

export type Failure = { error: string; cause: string };
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

export type Job = {
  id: string;
  type: string;
  label: string | null;
  colour: string | null;
  status: string;
  progress: number;
  attempt: number;
  worker: string | null;
  execution: string | null;
  message: string | null;
  counted: string | null;
  rate_per_second: number | null;
  seconds_left: number | null;
};

export type Step = {
  number: number;
  name: string;
  title: string;
  type: string;
  status: string;
  weight: number;
  progress: number;
  attempts: number;
  message: string | null;
  counted: string | null;
  parts: number;
  parts_completed: number;
  parts_failed: number;
  errors: number;
  map_run: { total: number; pending: number; running: number; succeeded: number; failed: number } | null;
  rate_per_second: number | null;
  seconds_left: number | null;
  execution: string | null;
  duration_seconds: number | null;
  ended_at: string | null;
  error: Failure | null;
};

export type Waiting = {
  reason: string;
  step_name: string | null;
  since: string | null;
  until: string | null;
  attempt: number | null;
  job_type: string | null;
  place: string | null;
  execution: string | null;
};

export type Allowed = { allowed: boolean; code?: string; reason?: string };
export type ActionName = 'cancel' | 'pause' | 'resume' | 'retry' | 'rerun' | 'delete';

export type Pause = { by: string; reason: string | null; since: string; scope: string };

export type Card = {
  id: string;
  handle: string;
  workflow: string;
  title: string | null;
  definition: string;
  name: string | null;
  parent: string | null;
  labels: Record<string, string>;
  rerun_of: string | null;
  status: string;
  progress: number;
  current_step: number | null;
  total_steps: number;
  step_name: string | null;
  message: string | null;
  active_sub_jobs: Job[];
  steps: Step[];
  waiting: Waiting | null;
  started_at: string;
  ended_at: string | null;
  redrives: number;
  duration_seconds: number;
  seconds_left: number | null;
  total_errors: number;
  failure: Failure | null;
  summary: Record<string, Json> | null;
  summary_error: Failure | null;
  cleanup: {
    outcomes: { step: string | null; state: string; status: string; duration_seconds: number | null; error?: Failure }[];
  } | null;
  cancel: { by: string; reason: string | null; at: string; force_from: string; forced: object | null } | null;
  paused: Pause | null;
  set_aside: string | null;
  sequence: number;
};

export type Shown = Card & { version: number | null; is_past: boolean; actions: Record<ActionName, Allowed> };

export type Row = {
  id: string;
  handle: string;
  workflow: string;
  labels: Record<string, string>;
  name: string | null;
  parent: string | null;
  is_part: boolean;
  status: string;
  progress: number;
  seconds_left: number | null;
  step_name: string | null;
  message: string | null;
  total_errors: number;
  failure: Failure | null;
  started_at: string;
  ended_at: string | null;
  paused: Pause | null;
  set_aside: string | null;
};

export type EventRow = {
  position: number;
  sequence: number;
  execution: string | null;
  time: string;
  event: string;
  step_name: string | null;
  sentence: string;
  data: Json;
};

export type Change = { subject: string; name: string | null; field: string; before: Json; after: Json };

export type Graph = {
  start_at: string;
  nodes: { id: string; title: string; type: string; does: string; inside: string | null; machine: string | null; is_start: boolean }[];
  edges: { from: string; to: string | null; label: string; on_error: boolean }[];
  statuses?: Record<string, string>;
};

export type Timeline = {
  started_at: string;
  ended_at: string | null;
  steps: { name: string; title: string; status: string; started_at: string; ended_at: string | null }[];
  attempts: {
    job_id: string;
    type: string;
    label: string | null;
    attempt: number;
    step_name: string | null;
    within: string | null;
    worker: string | null;
    scheduled_at: string;
    started_at: string | null;
    ended_at: string | null;
    outcome: string | null;
    error: Failure | null;
  }[];
  more_attempts: number;
  marks: { kind: 'retry' | 'lost' | 'pause' | 'redrive'; at: string; until: string | null; sequence: number; step_name: string | null; words: string }[];
  more_marks: number;
  sequence: number;
};

export type Items<T> = { items: T[]; next_cursor: string | null };
export type Totals = { total: number; is_exact: boolean; by_status: Record<string, number> };

export type Problem = {
  title: string;
  status: number;
  detail: string;
  code: string;
  hint?: string;
  errors?: { pointer: string; detail: string }[];
};
