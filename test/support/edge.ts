/** A Worker's context that keeps the promises that it is asked to wait for. */
export function createContext() {
  const waiting: Promise<unknown>[] = [];
  return { waiting, waitUntil: (promise: Promise<unknown>) => void waiting.push(promise) };
}
