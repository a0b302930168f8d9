import { useId } from 'preact/hooks';
import { type FormIssues, type FormValues, keyOf } from './form-values.ts';
import type { Field } from './schema-fields.ts';

export interface SchemaFormProps {
  readonly fields: readonly Field[];
  readonly values: FormValues;
  readonly issues: FormIssues;
  readonly onChange: (key: string, value: string | boolean) => void;
}

/** A field for each member of the input, with its description and what is wrong with it. */
export function SchemaForm({ fields, ...form }: SchemaFormProps) {
  return (
    <>
      {fields.map((field) =>
        field.what.kind === 'group' ? (
          <fieldset key={keyOf(field.path)} class="field-group">
            <legend>
              {field.name}
              <Need field={field} />
            </legend>
            {field.description !== '' && <p class="muted">{field.description}</p>}
            <SchemaForm fields={field.what.fields} {...form} />
          </fieldset>
        ) : (
          <FieldRow key={keyOf(field.path)} field={field} {...form} />
        ),
      )}
    </>
  );
}

function Need({ field }: { readonly field: Field }) {
  return <span class="muted">{field.isRequired ? ' required' : ''}</span>;
}

function FieldRow({
  field,
  values,
  issues,
  onChange,
}: { readonly field: Field } & Omit<SchemaFormProps, 'fields'>) {
  const id = useId();
  const key = keyOf(field.path);
  const issue = issues[key];
  const given = values[key];
  const text = typeof given === 'string' ? given : '';
  const common = {
    id,
    'aria-invalid': issue !== undefined,
    'aria-describedby': `${id}-about`,
    'aria-required': field.isRequired,
  };
  return (
    <div class="field">
      <label for={id}>
        {field.name}
        <Need field={field} />
      </label>
      <Control
        field={field}
        common={common}
        text={text}
        isOn={given ?? field.default === true}
        onChange={(value) => onChange(key, value)}
      />
      <div id={`${id}-about`}>
        {field.description !== '' && <span class="muted">{field.description} </span>}
        {issue !== undefined && <span class="field-error">{issue}</span>}
      </div>
    </div>
  );
}

interface ControlProps {
  readonly field: Field;
  readonly common: Readonly<Record<string, unknown>>;
  readonly text: string;
  readonly isOn: string | boolean;
  readonly onChange: (value: string | boolean) => void;
}

function Control({ field, common, text, isOn, onChange }: ControlProps) {
  const { what } = field;
  const placeholder = field.hasDefault ? (JSON.stringify(field.default) ?? '') : '';
  const onInput = (event: { readonly currentTarget: { readonly value: string } }) =>
    onChange(event.currentTarget.value);
  switch (what.kind) {
    case 'boolean':
      return (
        <input
          {...common}
          type="checkbox"
          checked={isOn === true}
          onChange={(event) => onChange(event.currentTarget.checked)}
        />
      );
    case 'choice':
      return (
        <select {...common} value={text} onChange={onInput}>
          <option value="">{field.hasDefault ? `${placeholder} (default)` : '—'}</option>
          {what.values.map((value) => (
            <option key={String(value)} value={String(value)}>
              {String(value)}
            </option>
          ))}
        </select>
      );
    case 'number':
      return (
        <input
          {...common}
          type="text"
          inputMode="decimal"
          value={text}
          placeholder={placeholder}
          onInput={onInput}
        />
      );
    case 'lines':
    case 'json':
      return (
        <textarea
          {...common}
          class="mono"
          rows={3}
          value={text}
          placeholder={placeholder || (what.kind === 'lines' ? 'one a line' : 'JSON')}
          onInput={onInput}
        />
      );
    case 'text':
      if (what.isLong)
        return <textarea {...common} rows={3} value={text} placeholder={placeholder} onInput={onInput} />;
      return (
        <input
          {...common}
          type="text"
          inputMode={what.inputMode}
          value={text}
          placeholder={placeholder}
          onInput={onInput}
        />
      );
    default:
      return null;
  }
}
