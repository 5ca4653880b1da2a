import { token } from './access';
import type { Problem } from './types';

// What the server refused, in its own words, or that it could not be reached.
export class Refused extends Error {
  constructor(public problem: Problem) {
    super(problem.detail);
  }
}

export type Query = Record<string, string | number | boolean | null | undefined>;

export function address(path: string, query: Query = {}): string {
  const parts = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== '');
  const text = parts.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`).join('&');
  return `/api/v1/${path}${text ? `?${text}` : ''}`;
}

async function ask(method: string, url: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = {};
  const known = token();
  if (known) headers.Authorization = `Bearer ${known}`;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const text = body === undefined ? undefined : JSON.stringify(body);
  let response: Response;
  try {
    response = await fetch(url, { method, headers, body: text, signal });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refused({ title: 'Unreachable', status: 0, code: 'UNREACHABLE', detail: 'the server cannot be reached' });
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => null);
  const { status, statusText } = response;
  throw new Refused(problem ?? { title: statusText, status, code: `HTTP_${status}`, detail: `the server answered ${status}` });
}

export async function get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
  return (await ask('GET', address(path, query), undefined, signal)).json();
}

export async function getText(path: string, query: Query = {}): Promise<string> {
  return (await ask('GET', address(path, query))).text();
}

export async function send<T>(method: string, path: string, body?: unknown, query: Query = {}): Promise<T> {
  return (await ask(method, address(path, query), body)).json();
}

export function problemOf(error: unknown): Problem {
  if (error instanceof Refused) return error.problem;
  return { title: 'Error', status: 0, code: 'PAGE', detail: String(error) };
}
