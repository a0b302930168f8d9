const read = (name: string): string =>
  document.querySelector(`meta[name="durably-${name}"]`)?.getAttribute('content') ?? '';

/** The address of the operations. The page has the relative one, which holds behind a proxy too. */
export const apiUrl: string = new URL(read('api') || './', document.baseURI).href.replace(/\/$/, '');

/** Whether the page may show buttons that change something. */
export const isReadOnly: boolean = read('mode') === 'read-only';
