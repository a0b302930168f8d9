import { expect } from 'vitest';
import { ValidationError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { echo, job } from '../../support/jobs.ts';
import { rejectionOf } from '../../support/runs.ts';

contract('pages by cursor', (test) => {
  test('neither repeat nor skip a run while others are added and removed', async ({ world }) => {
    const { durably } = await world.idle();
    const { echo: handle } = durably.register({ echo });
    const ids = (await handle.batchTrigger(Array.from({ length: 25 }, (_, i) => i))).map(({ id }) => id);
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await durably.getRunsPage({ limit: 7, cursor });
      seen.push(...page.runs.map(({ id }) => id));
      cursor = page.nextCursor ?? undefined;
      // One run is added at the head, and one that was shown is deleted.
      await handle.trigger('new');
      await durably.cancel(page.runs[0]?.id ?? '');
      await durably.deleteRun(page.runs[0]?.id ?? '');
    } while (cursor !== undefined);
    expect(seen).toEqual([...ids].reverse());
  });

  test.for([{ status: 'pending' as const }, { jobName: ['echo', 'other'] }, { labels: { org: '1' } }])(
    'apply the filter %j',
    async (filter, { world }) => {
      const { durably } = await world.idle();
      const handles = durably.register({
        echo,
        other: job('other', () => null),
        third: job('third', () => null),
      });
      for (let i = 0; i < 6; i++) {
        for (const handle of Object.values(handles))
          await handle.trigger(i, { labels: { org: String(i % 2) } });
      }
      const all = await durably.getRuns(filter);
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await durably.getRunsPage({ ...filter, limit: 4, cursor });
        seen.push(...page.runs.map(({ id }) => id));
        cursor = page.nextCursor ?? undefined;
      } while (cursor !== undefined);
      expect(seen).toEqual(all.map(({ id }) => id));
    },
  );

  test('know the end of a list of more than a hundred runs', async ({ world }) => {
    const { durably } = await world.idle();
    const { echo: handle } = durably.register({ echo });
    await handle.batchTrigger(Array.from({ length: 250 }, (_, i) => i));
    const first = await durably.getRunsPage({ limit: 200 });
    const second = await durably.getRunsPage({ limit: 200, cursor: first.nextCursor ?? '' });
    const payloads = [...first.runs, ...second.runs].map(({ payload }) => payload);
    expect(payloads).toEqual(Array.from({ length: 250 }, (_, i) => 249 - i));
    expect(second.nextCursor).toBeNull();
  });

  test.for(['', 'c', '7', 'cX', 'c-1', 'czzzzzzzzzzz'])('refuse the cursor %j', async (cursor, { world }) => {
    const { durably } = await world.idle();
    expect(await rejectionOf(durably.getRuns({ cursor }))).toBeInstanceOf(ValidationError);
  });

  test('refuse an offset together with a cursor', async ({ world }) => {
    const { durably } = await world.idle();
    expect((await rejectionOf(durably.getRuns({ cursor: 'c1', offset: 1 }))).message).toContain('offset');
  });
});
