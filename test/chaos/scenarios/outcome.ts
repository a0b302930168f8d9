/** The result of a scenario: the violations, and figures for the report. */
export interface Outcome {
  readonly violations: readonly string[];
  readonly figures: Readonly<Record<string, number>>;
  /** The faults that this database can't be made to have. */
  readonly skipped?: readonly string[];
}

export function formatFigures(figures: Outcome['figures']): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${Number.isInteger(value) ? value : value.toFixed(1)}`)
    .join(' · ');
}
