import { test as base, describe, expect } from 'vitest';
import type { Backend } from './backend.ts';
import { backends } from './backends.ts';
import { unreadable } from './unreadable.ts';
import { World } from './world.ts';

/** Durably over one of them with every payload encoded. */
const encoded = backends
  .filter(({ name }) => name === "the service's own on a file")
  .map((backend): Backend => ({ ...backend, name: `${backend.name}, encoded`, use: [unreadable()] }));

const testOn = (backend: (typeof backends)[number]) =>
  base.extend<{ world: World }>({
    // biome-ignore lint/correctness/noEmptyPattern: vitest reads a fixture's needs from this pattern.
    world: async ({}, use) => {
      const world = new World(backend);
      await use(world);
      await world.dispose();
    },
  });

export type ContractTest = ReturnType<typeof testOn>;

/** Runs a suite over all backends, or over the given ones, and once with encoded payloads. Each test gets its own world. */
export function contract(
  title: string,
  define: (test: ContractTest) => void,
  isAbout: (backend: Backend) => boolean = () => true,
): void {
  // Tests of a store know no plugins.
  const isOfDurably = expect.getState().testPath?.includes('/test/contract/');
  const chosen = isOfDurably ? [...backends, ...encoded] : backends;
  describe.each(chosen.filter(isAbout))(`${title} on $name`, (backend) => define(testOn(backend)));
}
