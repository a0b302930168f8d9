import { useEffect, useRef } from 'preact/hooks';

export type KeyActions = Readonly<Record<string, () => void>>;

/** Whether keys belong to what has the focus. */
function isTaken(event: KeyboardEvent): boolean {
  const { target } = event;
  // The page below a dialog is out of reach, also when nothing in the dialog has the focus.
  if (document.querySelector('dialog[open]') !== null) return true;
  if (!(target instanceof HTMLElement)) return false;
  if (event.key === 'Enter') return target.closest('a, button, input, select, textarea, summary') !== null;
  return target.closest('input:not([type=checkbox]), select, textarea') !== null;
}

/** Calls an action for a key while the view is there, unless the reader is typing. */
export function useKeys(actions: KeyActions): void {
  const latest = useRef(actions);
  latest.current = actions;
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTaken(event)) return;
      const action = latest.current[event.key];
      if (action === undefined) return;
      event.preventDefault();
      action();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, []);
}
