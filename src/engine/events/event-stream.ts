import { NotFoundError } from '../../core/errors/errors.ts';
import type { JournalEvent } from '../../core/events.ts';
import type { JournalFeed } from './journal-feed.ts';

/** A run's events as a stream. It reads from the database only when its consumer reads. */
export function streamOf(feed: JournalFeed, runId: string): ReadableStream<JournalEvent> {
  const opened = feed.openRun(runId).then((run) => {
    if (run.kind === 'open') return run.cursor;
    throw new NotFoundError('Run not found');
  });
  // The consumer sees the failure when it reads.
  opened.catch(() => undefined);
  return new ReadableStream<JournalEvent>(
    {
      async pull(controller) {
        const events = await (await opened).next();
        if (events === null) controller.close();
        else for (const { event } of events) controller.enqueue(event);
      },
      cancel: () => opened.then((cursor) => cursor.close()),
    },
    { highWaterMark: 0 },
  );
}
