import { computed, signal } from '@preact/signals';

/** Where the reader is. All of it stands in the address, after `#`, so that it can be sent to others. */
export interface Route {
  readonly view: string;
  /** What the view is about, such as a run's id. Empty for a list. */
  readonly id: string;
  readonly params: URLSearchParams;
}

const hash = signal(location.hash);
addEventListener('hashchange', () => {
  hash.value = location.hash;
});

/** The list of runs as it was last narrowed. */
let lastList = '#/runs';
export const lastRunsHref = (): string => lastList;

export const route = computed<Route>(() => {
  const read = readRoute(hash.value);
  if (read.view === 'runs' && hash.value !== '') lastList = hash.value;
  return read;
});

function readRoute(text: string): Route {
  const [path = '', query = ''] = text.replace(/^#?\/?/, '').split(/\?(.*)/s);
  const [view = '', id = ''] = path.split(/\/(.*)/s);
  return { view: view === '' ? 'runs' : view, id: decode(id), params: new URLSearchParams(query) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function hrefOf(view: string, id = '', params: URLSearchParams | Record<string, string> = {}): string {
  const query = new URLSearchParams(params).toString();
  const place = id === '' ? view : `${view}/${encodeURIComponent(id)}`;
  return `#/${place}${query === '' ? '' : `?${query}`}`;
}

export function go(href: string): void {
  location.hash = href.slice(1);
}

/** Changes parameters of the view without a step in the browser's history. Empty values leave. */
export function setParams(changes: Readonly<Record<string, string | readonly string[]>>): void {
  const { view, id, params } = route.peek();
  const next = new URLSearchParams(params);
  for (const [name, value] of Object.entries(changes)) {
    next.delete(name);
    for (const one of [value].flat()) if (one !== '') next.append(name, one);
  }
  history.replaceState(null, '', hrefOf(view, id, next));
  hash.value = location.hash;
}
