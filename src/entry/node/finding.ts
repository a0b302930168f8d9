/** What a check has found, in plain words. */
export interface Finding {
  /** `odd` works for now. */
  readonly state: 'fine' | 'odd' | 'wrong';
  readonly text: string;
}

export const fine = (text: string): Finding => ({ state: 'fine', text });
export const odd = (text: string): Finding => ({ state: 'odd', text });
export const wrong = (text: string): Finding => ({ state: 'wrong', text });

/** By how much clocks may differ before it is worth a word; ms. */
export const MAX_SKEW_MS = 5_000;
