import { useId } from 'preact/hooks';
import { textOf } from './notice.tsx';

/** @throws {SyntaxError} for what is no JSON. */
export const parseField = (text: string): unknown => JSON.parse(text.trim() === '' ? 'null' : text);

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
