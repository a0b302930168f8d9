import { useEffect, useRef } from 'preact/hooks';
import { giveKey, keyWanted } from '../service/connection.ts';

/** Asks for a key. It is kept until the tab is closed, and is sent in a header alone. */
export function KeyPrompt() {
  const ref = useRef<HTMLInputElement>(null);
  useEffect(() => ref.current?.focus(), []);
  const isWrong = keyWanted.value === 'wrong';
  return (
    <form
      class="key-prompt"
      onSubmit={(event) => {
        event.preventDefault();
        const given = ref.current?.value.trim() ?? '';
        if (given !== '') giveKey(given);
      }}
    >
      <h1>This service needs a key</h1>
      <p>It is one of DURABLY_API_KEYS. The key is kept until this tab is closed.</p>
      {isWrong && (
        <p class="field-error" role="alert" id="key-error">
          The service does not know this key. Check it, and try again.
        </p>
      )}
      <label>
        Key
        <input
          ref={ref}
          type="password"
          autocomplete="off"
          required
          aria-invalid={isWrong}
          aria-describedby={isWrong ? 'key-error' : undefined}
        />
      </label>
      <button type="submit" class="primary">
        Use this key
      </button>
    </form>
  );
}
