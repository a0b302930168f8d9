import { useMemo, useRef, useState } from 'preact/hooks';
import { type JobInfo, ValidationError } from '../../client.ts';
import { Copy } from '../parts/copy.tsx';
import { focusFirstFault, InvalidField, JsonField, parseField } from '../parts/json-field.tsx';
import { Failure, isUnsure } from '../parts/notice.tsx';
import { tell } from '../parts/toasts.tsx';
import { client, hasKey } from '../service/connection.ts';
import { apiUrl } from '../service/page-config.ts';
import { go, hrefOf } from '../shell/router.ts';
import { curlLine } from './curl-line.ts';
import { isOptionKey, NO_OPTIONS, optionKey, optionsOf } from './entered-options.ts';
import { type FormIssues, type FormValues, inputOf, keyOf } from './form-values.ts';
import { fieldsOf } from './schema-fields.ts';
import { SchemaForm } from './schema-form.tsx';
import { TriggerOptionFields } from './trigger-options.tsx';

/** A form made from the job's JSON Schema, which triggers a run. */
export function TriggerForm({ job }: { readonly job: JobInfo }) {
  const fields = useMemo(() => fieldsOf(job.input), [job.input]);
  const [mode, setMode] = useState<'form' | 'json'>(fields === null ? 'json' : 'form');
  const [values, setValues] = useState<FormValues>({});
  const [json, setJson] = useState('{}');
  const [options, setOptions] = useState(NO_OPTIONS);
  const [issues, setIssues] = useState<FormIssues>({});
  const [state, setState] = useState<{ readonly isBusy: boolean; readonly error?: unknown }>({
    isBusy: false,
  });

  const form = useRef<HTMLFormElement>(null);

  const made = mode === 'form' && fields !== null ? inputOf(fields, values) : inputOfJson(json);
  const { options: triggerOptions, issues: optionIssues } = optionsOf(options);
  const curl = curlLine({
    url: apiUrl,
    hasKey: hasKey.value,
    body: { jobName: job.name, input: made.input, ...triggerOptions },
  });
  const found = { ...made.issues, ...optionIssues };
  const canShowCurl = made.input !== undefined && Object.keys(optionIssues).length === 0;
  const canSend = Object.keys(found).length === 0;
  const withoutIssue = (...keys: readonly string[]) =>
    setIssues(Object.fromEntries(Object.entries(issues).filter(([name]) => !keys.includes(name))));
  const submit = async () => {
    if (state.isBusy) return;
    setIssues(found);
    if (!canSend) {
      setState({ isBusy: false });
      focusFirstFault(form.current);
      return;
    }
    setState({ isBusy: true });
    try {
      const { runId, disposition } = await client.peek().trigger(job.name, made.input, triggerOptions);
      tell(
        'done',
        disposition === 'created' ? 'A run was triggered' : `There was a run already (${disposition})`,
      );
      go(hrefOf('run', runId));
    } catch (error) {
      const refused = error instanceof ValidationError ? error.issues : [];
      setIssues(Object.fromEntries(refused.map(({ path, message }) => [keyOf(path), message])));
      setState({ isBusy: false, error });
      focusFirstFault(form.current);
    }
  };
  const switchMode = () => {
    if (mode === 'form') setJson(JSON.stringify(made.input, null, 2));
    setMode(mode === 'form' ? 'json' : 'form');
  };
  return (
    <form
      ref={form}
      class="trigger-form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <div class="trigger-fields">
        <div class="trigger-head">
          <h2>Trigger a run</h2>
          {fields !== null && (
            <button type="button" class="quiet" onClick={switchMode}>
              {mode === 'form' ? 'Write JSON' : 'Use the form'}
            </button>
          )}
        </div>
        {mode === 'form' && fields !== null ? (
          <>
            {fields.length === 0 && <p class="muted">The job takes no input.</p>}
            <SchemaForm
              fields={fields}
              values={values}
              issues={issues}
              onChange={(key, value) => {
                const { [key]: _, ...others } = values;
                setValues(value === undefined ? others : { ...others, [key]: value });
                withoutIssue(key);
              }}
            />
          </>
        ) : (
          <JsonField
            label="Input"
            text={json}
            onText={(text) => {
              setJson(text);
              setIssues({});
            }}
            error={inputIssueOf(issues)}
          />
        )}
        <TriggerOptionFields
          options={options}
          issues={issues}
          onChange={(name, text) => {
            setOptions({ ...options, [name]: text });
            withoutIssue(optionKey(name), keyOf([name]));
          }}
        />
        {state.error !== undefined && (
          <Failure
            what={
              isUnsure(state.error) ? 'It is not known whether a run was triggered.' : 'No run was triggered.'
            }
            error={state.error}
          />
        )}
        <div class="trigger-buttons">
          <button type="submit" class="primary" aria-disabled={state.isBusy}>
            Trigger
          </button>
        </div>
      </div>
      <div class="curl">
        <h3>The same from a shell</h3>
        {canShowCurl ? (
          <>
            <pre tabIndex={0}>{curl}</pre>
            <Copy text={() => curl} />
          </>
        ) : (
          <p class="muted">First correct what can’t be sent.</p>
        )}
      </div>
    </form>
  );
}

const inputIssueOf = (issues: FormIssues): string | undefined =>
  Object.entries(issues).find(([key]) => !isOptionKey(key))?.[1];

/** The field itself says what is wrong with the JSON. */
function inputOfJson(text: string): { readonly input: unknown; readonly issues: FormIssues } {
  try {
    return { input: parseField(text), issues: {} };
  } catch (error) {
    if (error instanceof InvalidField) return { input: undefined, issues: { [keyOf([])]: error.message } };
    throw error;
  }
}
