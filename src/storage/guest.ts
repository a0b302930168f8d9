/** What is done while no write is under way. */
export interface Guest {
  /** Never rejects. */
  enter(): Promise<void>;
  reject(error: unknown): void;
  /** The error for a write that would keep the guest from ending. Undefined if it may wait. */
  refuses(kind: string): unknown;
}
