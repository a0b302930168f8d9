import type { ClientTriggerOptions } from '../../client.ts';
import type { FormIssues } from './form-values.ts';

/** The options of a trigger, as they are entered. Empty ones are not given. */
export const NO_OPTIONS = {
  delay: '',
  priority: '',
  concurrencyKey: '',
  idempotencyKey: '',
  ttl: '',
  timeout: '',
  labels: '',
};
export type EnteredOptions = typeof NO_OPTIONS;

/** Where the issue of an option stands. Members of the input may have the same names. */
export const optionKey = (name: string): string => `option ${name}`;
export const isOptionKey = (key: string): boolean => key.startsWith('option ');

export interface FormOptions {
  readonly options: ClientTriggerOptions;
  /** What can't be sent as it was entered, by {@link optionKey}. */
  readonly issues: FormIssues;
}

/** The options that the fields make, and what is wrong with them. */
export function optionsOf({ priority, labels, ...texts }: EnteredOptions): FormOptions {
  const options: ClientTriggerOptions = {
    ...Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== '')),
    ...(priority === '' ? {} : { priority: Number(priority) }),
    ...(labels === '' ? {} : { labels: Object.fromEntries(pairsOf(labels)) }),
  };
  const issues: Record<string, string> = {};
  if (priority !== '' && !/^[+-]?\d+$/.test(priority.trim()))
    issues[optionKey('priority')] = 'Must be a whole number';
  const issue = labelIssue(pairsOf(labels));
  if (issue !== undefined) issues[optionKey('labels')] = issue;
  return { options, issues };
}

const pairsOf = (text: string): string[][] =>
  text
    .split(',')
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '')
    .map((pair) => pair.split(/=(.*)/s).slice(0, 2));

function labelIssue(pairs: readonly (readonly string[])[]): string | undefined {
  const keys = pairs.map(([key]) => key);
  if (pairs.some(({ length }) => length < 2)) return 'Each must be a name and a value, such as org=7';
  if (keys.includes('')) return 'Each must have a name, such as org=7';
  const twice = keys.find((key, i) => keys.indexOf(key) < i);
  return twice === undefined ? undefined : `${twice} is there twice`;
}
