import { useMemo, useState } from 'preact/hooks';
import { type JobInfo, ValidationError } from '../../client.ts';
import { Copy } from '../parts/copy.tsx';
import { JsonField, parseField } from '../parts/json-field.tsx';
import { Failure } from '../parts/notice.tsx';
import { tell } from '../parts/toasts.tsx';
import { client, hasKey } from '../service/connection.ts';
import { apiUrl } from '../service/page-config.ts';
import { go, hrefOf } from '../shell/router.ts';
import { curlLine } from './curl-line.ts';
import { type FormIssues, type FormValues, inputOf, keyOf } from './form-values.ts';
import { fieldsOf } from './schema-fields.ts';
import { SchemaForm } from './schema-form.tsx';
import { NO_OPTIONS, optionsOf, TriggerOptionFields } from './trigger-options.tsx';

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

  const made =
    mode === 'form' && fields !== null ? inputOf(fields, values) : { input: parsedOr(json), issues: {} };
  const triggerOptions = optionsOf(options);
  const body = { jobName: job.name, input: made.input, ...triggerOptions };
  const submit = async () => {
    setIssues(made.issues);
    if (Object.keys(made.issues).length > 0) {
      focusFirstIssue();
      return;
    }
    setState({ isBusy: true });
    try {
      const input = mode === 'json' ? parseField(json) : made.input;
      const { runId, disposition } = await client.peek().trigger(job.name, input, triggerOptions);
      tell(
        'done',
        disposition === 'created' ? 'A run was triggered' : `There was a run already (${disposition})`,
      );
      go(hrefOf('run', runId));
    } catch (error) {
      const refused = error instanceof ValidationError ? error.issues : [];
      setIssues(Object.fromEntries(refused.map(({ path, message }) => [keyOf(path), message])));
      setState({ isBusy: false, error });
      focusFirstIssue();
    }
  };
  const switchMode = () => {
    if (mode === 'form') setJson(JSON.stringify(made.input, null, 2));
    setMode(mode === 'form' ? 'json' : 'form');
  };
  return (
    <form
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
                setValues({ ...values, [key]: value });
                if (key in issues)
                  setIssues(Object.fromEntries(Object.entries(issues).filter(([name]) => name !== key)));
              }}
            />
          </>
        ) : (
          <JsonField label="Input" text={json} onText={setJson} error={Object.values(issues)[0]} />
        )}
        <TriggerOptionFields options={options} issues={issues} onChange={setOptions} />
        {state.error !== undefined && <Failure what="No run was triggered." error={state.error} />}
        <div class="trigger-buttons">
          <button type="submit" class="primary" disabled={state.isBusy}>
            Trigger
          </button>
        </div>
      </div>
      <div class="curl">
        <h3>The same from a shell</h3>
        <pre tabIndex={0}>{curlLine({ url: apiUrl, hasKey: hasKey.value, body })}</pre>
        <Copy text={() => curlLine({ url: apiUrl, hasKey: hasKey.value, body })} />
      </div>
    </form>
  );
}

function parsedOr(text: string): unknown {
  try {
    return parseField(text);
  } catch {
    return {};
  }
}

function focusFirstIssue(): void {
  setTimeout(() => document.querySelector<HTMLElement>('.trigger-form [aria-invalid="true"]')?.focus());
}
