/** What came of a scenario: what must not have happened, and what there is to tell. */
export interface Outcome {
  readonly violations: readonly string[];
  readonly figures: Readonly<Record<string, number>>;
}

export function formatFigures(figures: Outcome['figures']): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${Number.isInteger(value) ? value : value.toFixed(1)}`)
    .join(' · ');
}
