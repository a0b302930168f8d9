import type { Call } from '../../../../core/call.ts';
import { type ForkResult, MAX_FORK_BYTES, type NewFork } from '../../../../core/triggers/fork.ts';
import type { WriteKind } from '../../../writes.ts';
import type { Connection } from '../../connection/connection.ts';
import type { OptionalSchema } from '../../migrations/optional-schema.ts';
import { isInLine, storedLimitKey, storedRateKey } from '../claims/limit-keys.ts';
import { PLACES } from '../places.ts';

/**
 * Stores a fork once, however often it is sent. The schema's view copies the steps.
 * ?1 the new run's id, ?2 the run, ?3 the name of the step, ?4 the payload; empty for that of the run. ?5 and ?6 its
 * keys for the limits of its job, ?7 what plugins store with it; empty without.
 */
const FORK = `
insert into durably_forks (id, job_name, payload, concurrency_key, labels, forked_from, limit_key, rate_key, plugin_data, from_index)
select ?1, r.job_name, coalesce(nullif(?4, ''), r.payload), r.concurrency_key, r.labels, r.id, nullif(?5, ''), nullif(?6, ''), nullif(?7, ''), s.step_index
from durably_runs r cross join durably_steps s on s.run_id = r.id and s.name = ?3
where r.id = ?2 and not exists (select 1 from durably_runs n where n.id = ?1)
  and (
    select coalesce(sum(octet_length(j.data)), 0)
    from durably_steps p cross join durably_journal j on j.sequence = p.sequence
    where p.run_id = ?2 and p.status = 'completed' and p.step_index < s.step_index
  ) <= ${MAX_FORK_BYTES}`;

/** What was stored, or what was missing for it. Its parameters are the first ones of {@link FORK}. */
const STATE = `
select
  exists (select 1 from durably_runs n where n.id = ?1) as is_stored,
  exists (select 1 from durably_runs r where r.id = ?2 and ?4 is not null) as is_known,
  exists (select 1 from durably_steps s where s.run_id = ?2 and s.name = ?3) as has_step`;

const forks: WriteKind<NewFork, ForkResult> = {
  name: 'fork',
  place: PLACES.enqueue,
  sizeOf: ({ payload }) => ({ rows: 1, chars: payload?.length ?? 0 }),
  compile: (members) => ({
    statements: members.flatMap((member) => {
      const { id, runId, from, payload } = member;
      const parameters = [id, runId, from, payload ?? ''];
      const keys = [storedLimitKey(member) ?? '', storedRateKey(member) ?? ''];
      return [
        { sql: FORK, parameters: [...parameters, ...keys, member.pluginData ?? ''] },
        { kind: 'read', sql: STATE, parameters },
      ];
    }),
    decode: (answers) =>
      members.map((_, i): ForkResult => {
        const [state] = answers[2 * i + 1] ?? [];
        if (state?.is_stored === 1) return 'stored';
        if (state?.is_known !== 1) return 'not-found';
        return state.has_step === 1 ? 'too-large' : 'no-step';
      }),
  }),
};

export async function fork(
  connection: Connection,
  schema: OptionalSchema,
  given: NewFork,
  { deadlineMs = connection.callerDeadline() }: Call = {},
): Promise<ForkResult> {
  if (isInLine(given)) await schema.addLimits(deadlineMs);
  return await connection.lane.submit(forks, given, deadlineMs);
}
