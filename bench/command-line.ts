import { parseArgs } from 'node:util';
import { workloads } from './workloads/index.ts';
import type { Workload } from './workloads/workload.ts';

export interface Command {
  readonly workloads: readonly Workload[];
  readonly rounds: number | undefined;
  readonly isQuick: boolean;
  /** The address of a libSQL server, instead of a stand-in. */
  readonly database: string | undefined;
}

/** Parses options such as `--only enqueue,drain --rounds 3 --quick --database http://127.0.0.1:8080`. @throws for an unknown option. */
export function readCommandLine(): Command {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      rounds: { type: 'string' },
      database: { type: 'string' },
      quick: { type: 'boolean', default: false },
    },
  });
  const only = values.only?.split(',');
  const unknown = only?.find((id) => !workloads.some((workload) => workload.id === id));
  if (unknown !== undefined) {
    throw new Error(`no workload "${unknown}"; there are: ${workloads.map(({ id }) => id).join(', ')}`);
  }
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
  if (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0)) {
    throw new Error(`--rounds must be a whole number above 0, got ${values.rounds}`);
  }
  return {
    workloads: workloads.filter(({ id }) => only === undefined || only.includes(id)),
    rounds,
    isQuick: values.quick,
    database: values.database,
  };
}
