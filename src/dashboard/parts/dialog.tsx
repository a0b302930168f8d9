import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { focusFirstFault, InvalidField } from './json-field.tsx';
import { Failure, isUnsure } from './notice.tsx';

export interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

/** A modal dialog. `Esc` closes it. */
export function Dialog({ title, onClose, children }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = ref.current;
    const before = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      aria-label={title}
      onCancel={onClose}
      onClick={(event) => event.target === ref.current && onClose()}
    >
      <div class="dialog">
        <h2>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}

export interface ConfirmProps {
  readonly title: string;
  /** The words on the button, such as `Cancel 12 runs`. */
  readonly verb: string;
  readonly isDangerous?: boolean;
  /** Whether it can be confirmed already. Default: true. */
  readonly isReady?: boolean;
  readonly children?: ComponentChildren;
  readonly act: () => Promise<void>;
  readonly onClose: () => void;
}

/** Asks before something is done, and shows why it could not be done. */
export function Confirm({
  title,
  verb,
  isDangerous = false,
  isReady = true,
  children,
  act,
  onClose,
}: ConfirmProps) {
  const [state, setState] = useState<{ isBusy: boolean; error?: unknown }>({ isBusy: false });
  const form = useRef<HTMLFormElement>(null);
  const isOff = state.isBusy || !isReady;
  const confirm = async () => {
    if (isOff) return;
    setState({ isBusy: true });
    try {
      await act();
      onClose();
    } catch (error) {
      // The field says what is wrong with it.
      const isOfField = error instanceof InvalidField;
      setState(isOfField ? { isBusy: false } : { isBusy: false, error });
      if (isOfField) focusFirstFault(form.current);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        ref={form}
        onSubmit={(event) => {
          event.preventDefault();
          void confirm();
        }}
      >
        {children}
        {state.error !== undefined && (
          <Failure
            what={isUnsure(state.error) ? 'It is not known whether that was done.' : 'That failed.'}
            error={state.error}
          />
        )}
        <div class="dialog-buttons">
          <button type="button" onClick={onClose}>
            Close
          </button>
          <button
            type="submit"
            class={isDangerous ? 'danger' : 'primary'}
            // Not `disabled`: a button that is loses the focus, to the page below.
            aria-disabled={isOff}
          >
            {verb}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
