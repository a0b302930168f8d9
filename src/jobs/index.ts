import { createEdgeJobs } from './edge.ts';
import { createImportCsv } from './import-csv.ts';

export interface JobsOptions {
  /** Where `import-csv` finds its files and keeps its database. */
  readonly dataDir: string;
  /** Origins that `fetch-url` may fetch from, besides this machine's own. */
  readonly fetchOrigins?: readonly string[] | undefined;
}

/** The jobs that the service runs. A new one is a file in this folder and a line here, or in edge.ts. */
export function createJobs({ dataDir, fetchOrigins }: JobsOptions) {
  return {
    importCsv: createImportCsv({ dataDir }),
    ...createEdgeJobs({ fetchOrigins }),
  };
}
