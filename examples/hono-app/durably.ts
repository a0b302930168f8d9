import { createDurably } from 'durably';
import { openDatabase } from 'durably/sqlite';
import { report } from './jobs.ts';

export const database = await openDatabase({ url: `file:${process.env.DATA ?? 'data'}/durably.db` });
export const durably = createDurably({ dialect: database.dialect, jobs: { report }, maxConcurrentRuns: 5 });
