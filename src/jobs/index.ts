import { createEdgeJobs, type EdgeJobsOptions } from './edge.ts';
import { createImportCsv } from './import-csv.ts';

export interface JobsOptions extends Omit<EdgeJobsOptions, 'fetch'> {
  /** The folder where `import-csv` finds its files and keeps its database. */
  readonly dataDir: string;
}

/** The jobs of the service. To add one, write a file in this folder and add a line here or in edge.ts. */
export function createJobs({ dataDir, ...edge }: JobsOptions) {
  return {
    importCsv: createImportCsv({ dataDir }),
    ...createEdgeJobs(edge),
  };
}
