import { useEffect, useRef, useState } from 'preact/hooks';
import { STATUSES, StatusShape } from '../parts/status.tsx';
import { client } from '../service/connection.ts';
import { usePolled } from '../service/poll.ts';
import { useKeys } from '../shell/keys.ts';
import { setParams } from '../shell/router.ts';
import { type RunFilters, SPANS } from './run-filters.ts';

/** How long the reader pauses before the text is searched. */
const TYPING_MS = 250;

/** What the list is narrowed to. All of it goes into the address. */
export function FilterBar({ filters }: { readonly filters: RunFilters }) {
  const jobs =
    usePolled(() => client.peek().getJobs({ counts: false }), { everyMs: 60_000 }).state.value.value ?? [];
  const names = [...new Set([...jobs.map(({ name }) => String(name)), ...filters.jobName])];
  const searchRef = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(filters.q);
  useEffect(() => setText(filters.q), [filters.q]);
  useEffect(() => {
    if (text === filters.q) return;
    const timer = setTimeout(() => setParams({ q: text }), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text, filters.q]);
  useKeys({ '/': () => searchRef.current?.focus() });

  return (
    <search class="filters" aria-label="Filter runs">
      <input
        ref={searchRef}
        type="search"
        class="filter-text"
        placeholder="Search id, key, label, input  ( / )"
        aria-label="Search runs"
        value={text}
        maxLength={256}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => event.key === 'Escape' && event.currentTarget.blur()}
      />
      <div class="filter-rest">
        <select
          aria-label="Job"
          value={filters.jobName[0] ?? ''}
          onChange={(event) => setParams({ job: event.currentTarget.value })}
        >
          <option value="">all jobs</option>
          {names.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
        <select
          aria-label="Created"
          value={filters.since}
          onChange={(event) => setParams({ since: event.currentTarget.value })}
        >
          <option value="">any time</option>
          {SPANS.map(({ name, text: words }) => (
            <option key={name} value={name}>
              {words}
            </option>
          ))}
        </select>
        <LabelFilter filters={filters} />
        <fieldset class="chips">
          <legend class="unseen">Status</legend>
          {STATUSES.map((status) => {
            const isOn = filters.status.includes(status);
            const others = filters.status.filter((one) => one !== status);
            return (
              <button
                key={status}
                type="button"
                class={`chip is-${status}`}
                aria-pressed={isOn}
                onClick={() => setParams({ status: isOn ? others : [...others, status] })}
              >
                <StatusShape status={status} />
                {status}
              </button>
            );
          })}
        </fieldset>
        {filters.scheduleId !== '' && <Narrowed name="schedule" value={filters.scheduleId} />}
        {filters.parentRunId !== '' && <Narrowed name="parent" value={filters.parentRunId} />}
      </div>
    </search>
  );
}

function LabelFilter({ filters: { label } }: { readonly filters: RunFilters }) {
  const [text, setText] = useState('');
  const add = () => {
    const given = text.trim();
    if (!/^[\w./-]{1,64}=/.test(given)) return;
    setParams({ label: [...label, given] });
    setText('');
  };
  return (
    <span class="label-filter">
      <input
        type="text"
        class="filter-label"
        placeholder="label=value"
        aria-label="Filter by label, as key=value"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => event.key === 'Enter' && add()}
        onBlur={add}
      />
      {label.map((one) => (
        <button
          key={one}
          type="button"
          class="chip"
          aria-label={`Without the label ${one}`}
          onClick={() => setParams({ label: label.filter((other) => other !== one) })}
        >
          {one} ✕
        </button>
      ))}
    </span>
  );
}

function Narrowed({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <button
      type="button"
      class="chip"
      aria-label={`Without the ${name} ${value}`}
      onClick={() => setParams({ [name]: '' })}
    >
      {name} {value} ✕
    </button>
  );
}
