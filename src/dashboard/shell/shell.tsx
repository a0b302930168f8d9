import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { Toasts } from '../parts/toasts.tsx';
import { connection, forgetKey, hasKey, keyWanted } from '../service/connection.ts';
import { isReadOnly } from '../service/page-config.ts';
import { Help } from './help.tsx';
import { KeyPrompt } from './key-prompt.tsx';
import { useKeys } from './keys.ts';
import { go, hrefOf, route } from './router.ts';
import { nextTheme, theme } from './theme.ts';
import { VIEWS } from './views.tsx';

const THEME_SHAPES = { system: '◐', light: '○', dark: '●' } as const;

/** The bar on top, and the view that the address names. */
export function Shell() {
  const isHelping = useSignal(false);
  const { view } = route.value;
  const shown = VIEWS.find(({ name }) => name === view) ?? VIEWS[0];
  const title = `${shown?.title ?? 'durably'} · durably`;
  useEffect(() => {
    document.title = title;
  }, [title]);
  useKeys({ '?': () => (isHelping.value = true) });
  useKeys(Object.fromEntries(VIEWS.flatMap(({ name, key }) => (key ? [[key, () => go(hrefOf(name))]] : []))));
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the content
      </a>
      <header class="bar">
        <span class="brand">durably</span>
        <nav aria-label="Views">
          {VIEWS.filter(({ key }) => key !== undefined).map(({ name, title: words, of }) => (
            <a
              key={name}
              href={hrefOf(name)}
              aria-current={[name, ...of].includes(view) ? 'page' : undefined}
            >
              {words}
            </a>
          ))}
        </nav>
        <span class="bar-end">
          {isReadOnly && <span class="muted">read only</span>}
          <ConnectionMark />
          {hasKey.value && (
            <button type="button" class="quiet" onClick={forgetKey}>
              Forget key
            </button>
          )}
          <button
            type="button"
            class="quiet"
            aria-label={`Theme: ${theme.value}`}
            title="Theme"
            onClick={nextTheme}
          >
            {THEME_SHAPES[theme.value]} {theme.value}
          </button>
          <button
            type="button"
            class="quiet"
            aria-label="Keyboard shortcuts"
            onClick={() => (isHelping.value = true)}
          >
            ?
          </button>
        </span>
      </header>
      {connection.value === 'lost' && (
        <p class="lost" role="alert">
          The service does not answer. What you see may be old. Trying again …
        </p>
      )}
      <main id="main" tabIndex={-1}>
        {keyWanted.value === null ? shown && <shown.View /> : <KeyPrompt />}
      </main>
      {isHelping.value && <Help onClose={() => (isHelping.value = false)} />}
      <Toasts />
    </>
  );
}

/** The address says which view is open, so that a link can't lead to a part of the page. */
function skip(event: Event): void {
  event.preventDefault();
  document.querySelector<HTMLElement>('main')?.focus();
}

const CONNECTION_WORDS = { connecting: 'connecting', connected: 'live', lost: 'disconnected' } as const;

function ConnectionMark() {
  return (
    <span class={`connection is-${connection.value}`} role="status">
      <span class="dot" aria-hidden="true" />
      {CONNECTION_WORDS[connection.value]}
    </span>
  );
}
