import { expect } from 'vitest';
import { MARK_START } from '../../../src/core/text.ts';
import { ChildRunError } from '../../../src/index.ts';
import { contract } from '../../support/contract.ts';
import { job } from '../../support/jobs.ts';
import { rejectionOf, untilStatus } from '../../support/runs.ts';

const FORGED = [`${MARK_START}enc":["x","y"]}`, `${MARK_START}enc":oops`, `${MARK_START}redacted":1}`];

contract('a message that looks like a marked text', (test) => {
  test.for(FORGED)('is shown as it is, and a job can catch it: %s', async (text, { world }) => {
    const { durably } = await world.start();
    const below = job('below', (step) => {
      step.log.info(text);
      step.progress(1, 2, text);
      throw new Error(text);
    });
    const { parent } = durably.register({
      below,
      parent: job('parent', async (step) => {
        const error = await rejectionOf(step.invoke('child', below, 0));
        return await step.run('caught', () => error instanceof ChildRunError);
      }),
    });
    const { id } = await parent.trigger(0);
    expect(await untilStatus(durably, id, 'completed')).toMatchObject({ output: true });
    const [child] = await durably.getRuns({ parentRunId: id });
    expect(child?.error).toContain(text);
    expect(child?.progress?.message).toContain(text);
    const [line] = await durably.getLogs({ runId: child?.id ?? '' });
    expect(line?.message).toContain(text);
  });
});
