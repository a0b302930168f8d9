import { useSignal } from '@preact/signals';
import type { JournalEvent } from '../../client.ts';
import { formatClock } from '../parts/clock.ts';
import { JsonTree } from '../parts/json-tree.tsx';
import { inSentence } from '../parts/names.ts';
import { VirtualRows } from '../parts/virtual-rows.tsx';
import type { LiveRun } from './live-run.ts';

const ROW_HEIGHT = 24;

/** Every event of the run as it is in the journal. */
export function EventsPanel({ live }: { readonly live: LiveRun }) {
  live.version.value;
  const { events } = live.model;
  const open = useSignal<JournalEvent | undefined>(undefined);
  return (
    <div class="logs">
      <VirtualRows
        label="Events"
        role="list"
        class="log-rows"
        count={events.length}
        rowHeight={ROW_HEIGHT}
        row={(index) => {
          const event = events[index];
          if (event === undefined) return null;
          return (
            <div role="listitem" class={`log-line ${open.value === event ? 'is-selected' : ''}`}>
              <button type="button" onClick={() => (open.value = open.peek() === event ? undefined : event)}>
                <time class="num muted" dateTime={event.timestamp}>
                  {formatClock(event.timestamp)}
                </time>
                <span class="event-sequence num muted">{event.sequence}</span>
                <span class="event-type">{event.type}</span>
                <span class="log-text">{summaryOf(event)}</span>
              </button>
            </div>
          );
        }}
      />
      {open.value && (
        <div class="inspector">
          <JsonTree label="the event" value={open.value} />
        </div>
      )}
    </div>
  );
}

function summaryOf(event: JournalEvent): string {
  if ('message' in event) return event.message;
  if ('stepName' in event && event.stepName !== null && 'error' in event)
    return `${inSentence(event.stepName)}: ${event.error}`;
  if ('error' in event && event.error !== undefined) return event.error;
  if ('name' in event) return event.name;
  if ('stepName' in event) return event.stepName ?? '';
  if ('attempt' in event) return `attempt ${event.attempt}`;
  if (event.type === 'run:progress') return event.progress.message ?? String(event.progress.current);
  if (event.type === 'run:wait')
    return event.waits.map(({ kind, stepName }) => `${kind} ${stepName ?? ''}`).join(', ');
  return '';
}
