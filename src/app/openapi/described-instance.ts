import type { Components } from './json-schema.ts';

/** The instance to describe. Its settings decide which parameters callers need. */
export interface DescribedInstance {
  readonly basePath: string;
  /** Whether callers need a key. */
  readonly hasKeys: boolean;
  /** Whether the app has hooks that decide on access. */
  readonly hasAuth: boolean;
  readonly hasRateLimit: boolean;
  /** Whether it serves `/metrics`. */
  readonly hasMetrics: boolean;
}

/** What each part of the document is made with. */
export interface DocumentContext {
  readonly components: Components;
  readonly instance: DescribedInstance;
}
