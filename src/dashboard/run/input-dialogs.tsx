import { useState } from 'preact/hooks';
import type { Run } from '../../client.ts';
import { Confirm } from '../parts/dialog.tsx';
import { JsonField, parseField } from '../parts/json-field.tsx';
import { inSentence } from '../parts/names.ts';
import { tell } from '../parts/toasts.tsx';
import { client } from '../service/connection.ts';
import { go, hrefOf } from '../shell/router.ts';

const textOfInput = (value: unknown): string => JSON.stringify(value ?? null, null, 2);

function open(runId: string, text: string): void {
  tell('done', text);
  go(hrefOf('run', runId));
}

/** A new run with this run's input, or with another. */
export function RetriggerDialog({ run, onClose }: { readonly run: Run; readonly onClose: () => void }) {
  const [text, setText] = useState(textOfInput(run.payload));
  const act = async () => {
    const input = parseField(text);
    const isSame = text === textOfInput(run.payload);
    const { runId } = isSame
      ? await client.peek().retrigger(run.id)
      : await client.peek().trigger(run.jobName, input, {
          labels: run.labels,
          concurrencyKey: run.concurrencyKey ?? undefined,
        });
    open(runId, 'A new run was triggered');
  };
  return (
    <Confirm title={`Trigger ${inSentence(run.jobName)} again`} verb="Trigger" onClose={onClose} act={act}>
      <p>The new run has this run’s labels and concurrency key. Of the other options it has none.</p>
      <JsonField label="Input" text={text} onText={setText} />
    </Confirm>
  );
}

/** A new run in which the steps before one are done already. */
export function ForkDialog(props: {
  readonly run: Run;
  readonly from: string;
  readonly onClose: () => void;
}) {
  const { run, from, onClose } = props;
  const [text, setText] = useState(textOfInput(run.payload));
  const act = async () => {
    const input = text === textOfInput(run.payload) ? undefined : parseField(text);
    const { runId } = await client.peek().fork(run.id, { from, input });
    open(runId, 'The run was forked');
  };
  return (
    <Confirm title={`Fork from ${inSentence(from)}`} verb="Fork" onClose={onClose} act={act}>
      <p>The new run has the results of the steps that were finished before this one.</p>
      <JsonField label="Input" text={text} onText={setText} />
    </Confirm>
  );
}

/** Tells a run something that one of its steps waits for. */
export function SignalDialog(props: {
  readonly run: Run;
  readonly onClose: () => void;
  readonly onSent: () => void;
}) {
  const { run, onClose, onSent } = props;
  const waited = run.waits.find(({ kind }) => kind === 'signal');
  const [name, setName] = useState(waited?.signal ?? waited?.stepName ?? '');
  const [text, setText] = useState('null');
  const act = async () => {
    await client.peek().signal(run.id, name, parseField(text));
    tell('done', `The signal ${inSentence(name)} was sent`);
    onSent();
  };
  return (
    <Confirm title="Send a signal" verb="Send" onClose={onClose} act={act}>
      <label class="field">
        Name
        <input type="text" required value={name} onInput={(event) => setName(event.currentTarget.value)} />
      </label>
      <JsonField label="Payload" text={text} onText={setText} />
    </Confirm>
  );
}
