import { useState } from 'preact/hooks';

const SHOWN_MS = 1500;

/** Copies a text, which is made when it is asked for. */
export function Copy({ text, label = 'Copy' }: { readonly text: () => string; readonly label?: string }) {
  const [state, setState] = useState<'idle' | 'copied' | 'failed'>('idle');
  const copy = async () => {
    try {
      await writeText(text());
      setState('copied');
    } catch {
      setState('failed');
    }
    setTimeout(() => setState('idle'), SHOWN_MS);
  };
  return (
    <button type="button" class="quiet copy" onClick={copy}>
      {state === 'idle' ? label : state === 'copied' ? 'Copied' : 'Not copied'}
      <span class="unseen" role="status">
        {state === 'copied' ? 'Copied' : ''}
      </span>
    </button>
  );
}

/** A page that was not loaded over https has no clipboard of its own. */
async function writeText(text: string): Promise<void> {
  if (navigator.clipboard !== undefined) return await navigator.clipboard.writeText(text);
  const area = document.createElement('textarea');
  area.value = text;
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand('copy');
  area.remove();
  if (!isCopied) throw new Error('The browser refused');
}
