/** By its tag: servers replace the global class, and `fetch` answers with one of its own. */
export function isResponse(value: unknown): value is Response {
  return Object.prototype.toString.call(value) === '[object Response]';
}
