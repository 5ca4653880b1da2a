// The token, where access is on. It stays in this tab, or in this browser if that was asked for.
const NAME = 'everstep.token';

export function token(): string | null {
  return sessionStorage.getItem(NAME) ?? localStorage.getItem(NAME);
}

export function keepToken(token: string, stays: boolean) {
  forgetToken();
  (stays ? localStorage : sessionStorage).setItem(NAME, token);
}

export function forgetToken() {
  sessionStorage.removeItem(NAME);
  localStorage.removeItem(NAME);
}
