import { type EnteredOptions, optionKey } from './entered-options.ts';
import { type FormIssues, keyOf } from './form-values.ts';

const FIELDS: readonly (readonly [name: keyof EnteredOptions, title: string, example: string])[] = [
  ['delay', 'Delay', '30s, 5m, 2h'],
  ['priority', 'Priority', '-1000 to 1000'],
  ['concurrencyKey', 'Concurrency key', ''],
  ['idempotencyKey', 'Idempotency key', ''],
  ['ttl', 'Must start within', '10m'],
  ['timeout', 'Must end within', '2h'],
  ['labels', 'Labels', 'org=7, env=test'],
];

export interface TriggerOptionFieldsProps {
  readonly options: EnteredOptions;
  readonly issues: FormIssues;
  readonly onChange: (name: keyof EnteredOptions, text: string) => void;
}

export function TriggerOptionFields({ options, issues, onChange }: TriggerOptionFieldsProps) {
  return (
    <details class="trigger-options">
      <summary>Options</summary>
      <div class="option-grid">
        {FIELDS.map(([name, title, example]) => {
          const issue = issues[optionKey(name)] ?? issues[keyOf([name])];
          return (
            <label key={name} class="field">
              {title}
              <input
                type="text"
                value={options[name]}
                placeholder={example}
                aria-invalid={issue !== undefined}
                onInput={(event) => onChange(name, event.currentTarget.value)}
              />
              {issue !== undefined && <span class="field-error">{issue}</span>}
            </label>
          );
        })}
      </div>
    </details>
  );
}
