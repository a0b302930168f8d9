import { signal } from '@preact/signals';

interface Toast {
  readonly id: number;
  readonly kind: 'done' | 'failed';
  readonly text: string;
  readonly href?: string | undefined;
}

const toasts = signal<readonly Toast[]>([]);
let count = 0;
const DONE_MS = 5000;

const dismiss = (id: number) => {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
};

/** Tells what was done, for a while, or what failed, until it is closed. */
export function tell(kind: Toast['kind'], text: string, href?: string): void {
  const id = ++count;
  toasts.value = [...toasts.value.slice(-3), { id, kind, text, href }];
  if (kind === 'done') setTimeout(() => dismiss(id), DONE_MS);
}

export function Toasts() {
  return (
    <div class="toasts" role="status">
      {toasts.value.map((toast) => (
        <div key={toast.id} class={`toast is-${toast.kind}`}>
          <span>{toast.text}</span>
          {toast.href && <a href={toast.href}>Open</a>}
          <button
            type="button"
            class="quiet"
            aria-label="Close this message"
            onClick={() => dismiss(toast.id)}
          >
            ✕
          </button>
        </div>
      ))}
    </div>
  );
}
