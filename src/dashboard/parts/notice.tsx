import type { ComponentChildren } from 'preact';

export const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** What failed, and a button to try it again. */
export function Failure({
  what,
  error,
  again,
}: {
  readonly what: string;
  readonly error: unknown;
  readonly again?: (() => void) | undefined;
}) {
  return (
    <div class="failure" role="alert">
      <p>
        <strong>{what}</strong> {textOf(error)}
      </p>
      {again && (
        <button type="button" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}

/** There is nothing, and what to do about it. */
export function Empty({
  title,
  children,
}: {
  readonly title: string;
  readonly children?: ComponentChildren;
}) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}

export function Loading() {
  return (
    <p class="loading" role="status">
      Loading …
    </p>
  );
}
