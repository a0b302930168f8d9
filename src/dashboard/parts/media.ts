import { signal } from '@preact/signals';

const query = matchMedia('(max-width: 720px)');

/** Whether the page is too narrow for one line per run. */
export const isNarrow = signal(query.matches);
query.addEventListener('change', () => {
  isNarrow.value = query.matches;
});
