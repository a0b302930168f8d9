import type { ComponentChildren } from 'preact';
import { DatabaseUnavailableError, ServiceUnavailableError } from '../../client.ts';

/** An error in the words of a reader, who knows of no requests. */
export function textOf(error: unknown): string {
  if (error instanceof ServiceUnavailableError) return 'The service does not answer.';
  if (error instanceof DatabaseUnavailableError) return 'The service does not reach its database.';
  return error instanceof Error ? error.message : String(error);
}

/** Whether a command may have been done although it failed. */
export const isUnsure = (error: unknown): boolean => error instanceof ServiceUnavailableError;

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
        <strong>{what}</strong> <bdi>{textOf(error)}</bdi>
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
  isPage = false,
  children,
}: {
  readonly title: ComponentChildren;
  /** Whether the page has nothing else, so that this is its heading. Default: false. */
  readonly isPage?: boolean;
  readonly children?: ComponentChildren;
}) {
  return (
    <div class="empty">
      {isPage ? <h1 class="empty-title">{title}</h1> : <p class="empty-title">{title}</p>}
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
