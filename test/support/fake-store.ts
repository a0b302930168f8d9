import type { Store } from '../../src/core/store.ts';

/** A store on which only the given methods may be called. */
export function fakeStore(methods: Partial<Store>): Store {
  return new Proxy(methods as Store, {
    get: (given, name) => {
      const method = Reflect.get(given, name);
      if (method !== undefined) return method;
      return () => {
        throw new Error(`store.${String(name)} was not expected to be called`);
      };
    },
  });
}
