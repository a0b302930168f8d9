import type { ErrorDetail } from '../../client.ts';
import { Copy } from './copy.tsx';

/** An error with its stack and causes. */
export function ErrorView({ detail }: { readonly detail: ErrorDetail }) {
  return (
    <div class="error-view">
      <p class="error-head">
        <strong>{detail.name}</strong>
        {detail.code !== undefined && <code>{detail.code}</code>}{' '}
        <span class="error-message">{detail.message}</span>
      </p>
      {detail.stack !== undefined && (
        <div class="stack">
          <pre tabIndex={0}>{framesOf(detail)}</pre>
          <Copy text={() => detail.stack ?? ''} />
        </div>
      )}
      {detail.cause && (
        <div class="error-cause">
          <h3>Caused by</h3>
          <ErrorView detail={detail.cause} />
        </div>
      )}
      {detail.errors?.map((inner, i) => (
        <div class="error-cause" key={i}>
          <h3>Error {i + 1}</h3>
          <ErrorView detail={inner} />
        </div>
      ))}
    </div>
  );
}

/** A stack begins with the name and the message, which stand above it. */
function framesOf({ stack = '', message }: ErrorDetail): string {
  const at = stack.indexOf('\n    at ');
  return at >= 0 && stack.slice(0, at).includes(message.slice(0, 40)) ? stack.slice(at + 1) : stack;
}
