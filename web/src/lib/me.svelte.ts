// Who looks at the page, and what they may do. It hides nothing: what may not be done says why.
import { get } from './api';
import { live } from './live.svelte';

export const me = $state({ name: '', role: '', may_operate: true });

export async function askWhoIAm() {
  try {
    Object.assign(me, await get('me'));
  } catch {
    // Whoever is refused is led to the login; without a server there is nothing to do anyway.
  }
}

// Why nothing can be changed from this page now; null when it can.
export function unable(): string | null {
  return live.condition === 'lost' ? 'the server cannot be reached' : notAllowed();
}

// Why nothing may be changed by whoever looks; null when it may.
export function notAllowed(): string | null {
  return me.may_operate ? null : `${me.name} has the role ${me.role}; this needs operator or admin`;
}
