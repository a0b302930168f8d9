import { formatDuration, formatExact, formatRelative, now } from './clock.ts';

/** How long ago a time is, with the exact one on hover. */
export function Ago({ at }: { readonly at: string | null }) {
  if (at === null) return null;
  return (
    <time dateTime={at} title={formatExact(at)}>
      {formatRelative(Date.parse(at), now.value)}
    </time>
  );
}

/** The time between two times. Without an end, it grows. */
export function Duration({ from, to }: { readonly from: string | null; readonly to: string | null }) {
  if (from === null) return null;
  const end = to === null ? now.value : Date.parse(to);
  return <span class="num">{formatDuration(Math.max(0, end - Date.parse(from)))}</span>;
}
