import { expect, it } from 'vitest';
import { serveInProcess } from './in-process.ts';

const NO_RUN = `run_${'0'.repeat(26)}`;

it.each(['delete', 'retry', 'cancel', 'retrigger'])(
  '%s changes no run if one of the ids fits none, or several do',
  async (command) => {
    const { client, durably } = await serveInProcess();
    const { runId } = await client.trigger('greet', { name: 'Ada' });
    await client.run(runId).wait();
    const before = await client.getRuns({});
    for (const wrong of ['run_ZZ', NO_RUN]) {
      const ended = await durably([command, runId, wrong]);
      expect(ended).toMatchObject({ code: 3, stdout: '', stderr: expect.stringContaining(wrong) });
    }
    expect(await client.getRuns({})).toEqual(before);
  },
);

it('a run that is named twice is changed once', async () => {
  const { client, durably } = await serveInProcess();
  const { runId } = await client.trigger('greet', { name: 'Ada' });
  await client.run(runId).wait();
  const ended = await durably(['delete', runId, runId.slice('run_'.length)]);
  expect(ended).toEqual({ code: 0, stdout: `${runId} deleted\n`, stderr: '' });
});

it('what was typed wrongly exits with 3, whoever finds it, and what a run forbids with 4', async () => {
  const { client, durably } = await serveInProcess();
  const { runId } = await client.trigger('greet', { name: 'Ada' });
  await client.run(runId).wait();
  const mistakes = [
    ...['run', 'watch', 'logs', 'cancel', 'retry', 'delete', 'retrigger'].map((name) => [name, NO_RUN]),
    ['logs', NO_RUN, '-f'],
    ['signal', NO_RUN, 'go'],
    ['runs', '--parent', NO_RUN],
    ['runs', '--limit', '0'],
    ['runs', '--after', 'yesterday'],
    ['trigger', 'gret'],
    ['trigger', 'greet', '--input', '{"name": 5}'],
    ['trigger', 'greet', '--input', '{"name": "Ada"}', '--priority', '5000'],
    ['fork', runId, '--from', 'nowhere'],
    ['pause', 'gret'],
    ['resume', '--schedule', 'nightly'],
    ['serve', '--port', '70000'],
  ];
  for (const args of mistakes) {
    const { code, stdout, stderr } = await durably(args);
    expect([args, code, stdout]).toEqual([args, 3, '']);
    expect(stderr).toMatch(/^durably: [^\n]+\n$/);
  }
  for (const args of [
    ['cancel', runId],
    ['signal', runId, 'go'],
  ]) {
    expect([args, (await durably(args)).code]).toEqual([args, 4]);
  }
});

it('a run that is watched is followed to its end when the reader of the output has gone', async () => {
  const { client, durably } = await serveInProcess();
  const ended = await durably(['trigger', 'fail', '--watch'], 'EPIPE');
  expect(ended).toEqual({ code: 1, stdout: '', stderr: '' });
  const [{ id = '' } = {}] = await client.getRuns({});
  expect(await durably(['watch', id], 'EPIPE')).toMatchObject({ code: 1, stderr: '' });
  expect(await durably(['runs'], 'EPIPE')).toEqual({ code: 0, stdout: '', stderr: '' });
});

it('an output that can not be written is told in one line, with exit code 4', async () => {
  const { durably } = await serveInProcess();
  expect(await durably(['runs'], 'ENOSPC')).toEqual({
    code: 4,
    stdout: '',
    stderr: "durably: the output can't be written: ENOSPC: no\n",
  });
});
