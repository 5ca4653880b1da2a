// Where the page is: all that a view shows can be read from its address, so that it can be shared.
function read() {
  const path = location.pathname.split('/').filter(Boolean).map(decodeURIComponent);
  return { path, query: Object.fromEntries(new URLSearchParams(location.search)) as Record<string, string> };
}

export const place = $state(read());

function settle() {
  Object.assign(place, read());
}

export function go(to: string, replaces = false) {
  const was = location.pathname;
  history[replaces ? 'replaceState' : 'pushState'](null, '', to);
  settle();
  if (location.pathname !== was) window.scrollTo(0, 0);
}

// Sets parts of the query, and leaves the others as they are; nothing takes one away.
export function ask(parts: Record<string, string | number | null>, replaces = true) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(parts)) {
    if (value === null || value === '') query.delete(name);
    else query.set(name, String(value));
  }
  const text = query.toString();
  go(location.pathname + (text ? `?${text}` : ''), replaces);
}

export function href(...parts: string[]): string {
  return '/' + parts.map(encodeURIComponent).join('/');
}

// Links within the page are followed without loading it again.
export function follow(event: MouseEvent) {
  const link = (event.target as Element).closest?.('a');
  if (!link || event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  // A link in a drawing has no parts of an address of its own.
  const to = new URL(link.getAttribute('href') ?? '', location.href);
  if (to.origin !== location.origin || link.hasAttribute('target') || link.hasAttribute('download')) return;
  if (/^\/(api|docs|openapi|metrics|healthz)/.test(to.pathname)) return;
  event.preventDefault();
  if (to.href !== location.href) go(to.pathname + to.search);
}

addEventListener('popstate', settle);
