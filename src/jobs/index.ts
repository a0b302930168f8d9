import { createEdgeJobs, type EdgeJobsOptions } from './edge.ts';
import { createImportCsv } from './import-csv.ts';

export interface JobsOptions extends Omit<EdgeJobsOptions, 'fetch'> {
  /** Where `import-csv` finds its files and keeps its database. */
  readonly dataDir: string;
}

/** The jobs that the service runs. A new one is a file in this folder and a line here, or in edge.ts. */
export function createJobs({ dataDir, ...edge }: JobsOptions) {
  return {
    importCsv: createImportCsv({ dataDir }),
    ...createEdgeJobs(edge),
  };
}
