import { ValidationError } from '../../core/errors/errors.ts';

const REFUSAL =
  'syncUrl is not supported: an embedded replica answers outdated rows. Use the address of the server';

/** @throws {ValidationError} for options that name a `syncUrl`. */
export function refuseEmbeddedReplica(options: unknown): void {
  if (typeof options !== 'object' || options === null || !('syncUrl' in options)) return;
  if (options.syncUrl !== undefined) throw new ValidationError(REFUSAL);
}

/**
 * A client does not show its `syncUrl`, but only an embedded replica can be synchronized. One whose server is away
 * can't be distinguished from a file.
 *
 * @throws {ValidationError}
 */
export async function refuseReplicaClient(client: { sync?(): Promise<unknown> }): Promise<void> {
  if (client.sync === undefined) return;
  const isReplica = await client.sync().then(
    () => true,
    () => false,
  );
  if (isReplica) throw new ValidationError(REFUSAL);
}
