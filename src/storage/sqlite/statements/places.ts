/**
 * The order of the kinds of writes in a batch. The claim is last, so that it sees the runs that
 * triggers have just added and the keys that ends have just freed.
 */
export const PLACES = {
  renew: 1,
  append: 2,
  handBack: 3,
  command: 4,
  signal: 5,
  enqueue: 6,
  deletion: 7,
  read: 8,
  wake: 9,
  claim: 10,
} as const;
