import { test as base, describe } from 'vitest';
import type { Backend } from './backend.ts';
import { backends } from './backends.ts';
import { World } from './world.ts';

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

/** Runs a suite over all backends, or over the given ones. Each test gets its own world. */
export function contract(
  title: string,
  define: (test: ContractTest) => void,
  isAbout: (backend: Backend) => boolean = () => true,
): void {
  describe.each(backends.filter(isAbout))(`${title} on $name`, (backend) => define(testOn(backend)));
}
