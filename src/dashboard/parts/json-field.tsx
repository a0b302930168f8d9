import { useId } from 'preact/hooks';
import { textOf } from './notice.tsx';

/** What is entered in a field can't be sent. The field itself says why. */
export class InvalidField extends Error {}

/** @throws {InvalidField} for what is no JSON. */
export function parseField(text: string): unknown {
  try {
    return JSON.parse(text.trim() === '' ? 'null' : text);
  } catch (error) {
    throw new InvalidField(textOf(error));
  }
}

/** Goes to the first field that can't be sent, also if it is folded away. */
export function focusFirstFault(form: HTMLElement | null): void {
  setTimeout(() => {
    const field = form?.querySelector<HTMLElement>('[aria-invalid="true"]');
    field?.closest('details')?.setAttribute('open', '');
    field?.focus();
  });
}

function faultOf(text: string): string | undefined {
  try {
    parseField(text);
    return undefined;
  } catch (error) {
    return textOf(error);
  }
}

export interface JsonFieldProps {
  readonly label: string;
  readonly text: string;
  readonly onText: (text: string) => void;
  readonly error?: string | undefined;
}

/** A text area for JSON, which says what is wrong with it. */
export function JsonField({ label, text, onText, error }: JsonFieldProps) {
  const id = useId();
  const fault = faultOf(text) ?? error;
  return (
    <label class="field">
      {label}
      <textarea
        class="mono"
        spellcheck={false}
        value={text}
        aria-invalid={fault !== undefined}
        aria-describedby={fault === undefined ? undefined : id}
        onInput={(event) => onText(event.currentTarget.value)}
      />
      {fault !== undefined && (
        <span class="field-error" id={id}>
          {fault}
        </span>
      )}
    </label>
  );
}
