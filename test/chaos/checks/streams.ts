import type { JournalRecord } from '../support/records.ts';
import type { Frame, Subscriber } from '../support/subscriber.ts';

/** Whether a subscriber saw exactly these rows, each once and in order. */
export function checkStream(
  name: string,
  subscriber: Subscriber,
  expected: readonly JournalRecord[],
): string[] {
  const { frames, violations } = subscriber;
  const place = expected.findIndex((row, i) => frames[i]?.id !== row.sequence);
  const complaints = [...violations];
  if (place >= 0) {
    complaints.push(`got ${frames[place]?.id ?? 'nothing'} where ${expected[place]?.sequence} was to come`);
  } else if (frames.length > expected.length) {
    complaints.push(`got ${frames.length - expected.length} frames too many`);
  }
  const byId = new Map(expected.map((row) => [row.sequence, row]));
  for (const frame of frames) {
    const row = byId.get(frame.id);
    if (row && !tells(frame, row)) complaints.push(`got ${frame.data} for ${row.sequence} ${row.type}`);
  }
  return complaints.map((text) => `${name} ${text}`);
}

function tells({ id, data }: Frame, row: JournalRecord): boolean {
  const event: Record<string, unknown> = JSON.parse(data);
  return (
    event.sequence === id &&
    event.type === row.type &&
    event.runId === row.run_id &&
    event.timestamp === new Date(row.created_at).toISOString()
  );
}

/** Whether everyone who saw an event received the same bytes. */
export function checkSameBytes(subscribers: Iterable<Subscriber>): string[] {
  const seen = new Map<number, string>();
  const violations: string[] = [];
  for (const { frames } of subscribers) {
    for (const { id, data } of frames) {
      const known = seen.get(id);
      if (known === undefined) seen.set(id, data);
      else if (known !== data) violations.push(`event ${id} was told in two ways: ${known} and ${data}`);
    }
  }
  return violations;
}
