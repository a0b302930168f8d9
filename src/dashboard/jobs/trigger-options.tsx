import type { ClientTriggerOptions } from '../../client.ts';
import { type FormIssues, keyOf } from './form-values.ts';

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
type EnteredOptions = typeof NO_OPTIONS;

const FIELDS: readonly (readonly [name: keyof EnteredOptions, title: string, example: string])[] = [
  ['delay', 'Delay', '30s, 5m, 2h'],
  ['priority', 'Priority', '-1000 to 1000'],
  ['concurrencyKey', 'Concurrency key', ''],
  ['idempotencyKey', 'Idempotency key', ''],
  ['ttl', 'Must start within', '10m'],
  ['timeout', 'Must end within', '2h'],
  ['labels', 'Labels', 'org=7, env=test'],
];

export function optionsOf({ priority, labels, ...texts }: EnteredOptions): ClientTriggerOptions {
  const given = Object.entries(texts).filter(([, text]) => text !== '');
  return {
    ...Object.fromEntries(given),
    ...(priority === '' ? {} : { priority: Number(priority) }),
    ...(labels === '' ? {} : { labels: labelsOf(labels) }),
  };
}

function labelsOf(text: string): Record<string, string> {
  const pairs = text.split(',').map((pair) => pair.trim().split(/=(.*)/s));
  return Object.fromEntries(pairs.flatMap(([key = '', value = '']) => (key === '' ? [] : [[key, value]])));
}

export interface TriggerOptionFieldsProps {
  readonly options: EnteredOptions;
  readonly issues: FormIssues;
  readonly onChange: (options: EnteredOptions) => void;
}

export function TriggerOptionFields({ options, issues, onChange }: TriggerOptionFieldsProps) {
  return (
    <details class="trigger-options">
      <summary>Options</summary>
      <div class="option-grid">
        {FIELDS.map(([name, title, example]) => {
          const issue = issues[keyOf([name])];
          return (
            <label key={name} class="field">
              {title}
              <input
                type="text"
                value={options[name]}
                placeholder={example}
                aria-invalid={issue !== undefined}
                onInput={(event) => onChange({ ...options, [name]: event.currentTarget.value })}
              />
              {issue !== undefined && <span class="field-error">{issue}</span>}
            </label>
          );
        })}
      </div>
    </details>
  );
}
