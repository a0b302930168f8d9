import { useId } from 'preact/hooks';
import { type FormIssues, type FormValue, type FormValues, keyOf } from './form-values.ts';
import type { Field } from './schema-fields.ts';

export interface SchemaFormProps {
  readonly fields: readonly Field[];
  readonly values: FormValues;
  readonly issues: FormIssues;
  /** Undefined for what is as if it had not been touched. */
  readonly onChange: (key: string, value: FormValue | undefined) => void;
}

/** A field for each member of the input, with its description and what is wrong with it. */
export function SchemaForm({ fields, ...form }: SchemaFormProps) {
  return (
    <>
      {fields.map((field) =>
        field.what.kind === 'group' ? (
          <fieldset key={keyOf(field.path)} class="field-group">
            <legend>
              <bdi>{field.name}</bdi>
              <Need field={field} />
            </legend>
            {field.description !== '' && <p class="muted">{field.description}</p>}
            <NullSwitch field={field} {...form} />
            {form.values[keyOf(field.path)] !== null && <SchemaForm fields={field.what.fields} {...form} />}
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
    disabled: given === null,
  };
  return (
    <div class="field">
      <label for={id}>
        <bdi>{field.name}</bdi>
        <Need field={field} />
      </label>
      <NullSwitch field={field} values={values} onChange={onChange} />
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

/** Of a member that may be null, whether it is. */
function NullSwitch({
  field,
  values,
  onChange,
}: { readonly field: Field } & Pick<SchemaFormProps, 'values' | 'onChange'>) {
  if (!field.isNullable) return null;
  const key = keyOf(field.path);
  return (
    <label class="null-switch">
      <input
        type="checkbox"
        aria-label={`${field.name} is null`}
        checked={values[key] === null}
        onChange={(event) => onChange(key, event.currentTarget.checked ? null : undefined)}
      />{' '}
      null
    </label>
  );
}

const linesHint = ({ isRequired }: Field): string =>
  isRequired ? 'one a line, none for an empty list' : 'one a line';

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
          placeholder={placeholder || (what.kind === 'lines' ? linesHint(field) : 'JSON')}
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
