import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Copy } from './copy.tsx';
import { beginsWith, findInJson, isSamePath, type JsonPath, membersOf, PART_SIZE } from './json-paths.ts';

/** What the service says in place of a value that it can't decode, or of a sensitive step's. */
const HIDDEN = ['[encrypted]', '[redacted]'];
/** A longer text is cut until the reader asks for all of it. */
const LONG_TEXT = 1000;
/** Smaller values have no search. */
const MIN_SEARCHED = 8;
/** How deep and how wide a value may be to be unfolded at first. */
const OPEN_DEPTH = 2;
const OPEN_MEMBERS = 30;

/** A JSON value as a tree whose parts are drawn when they are unfolded, with search and copy. */
export function JsonTree({ value, label }: { readonly value: unknown; readonly label: string }) {
  const [text, setText] = useState('');
  const [found, setFound] = useState<{ readonly paths: readonly JsonPath[]; readonly at: number }>({
    paths: [],
    at: 0,
  });
  const isLarge = useMemo(() => countAtLeast(value, MIN_SEARCHED), [value]);
  useEffect(() => {
    if (text === '') {
      setFound({ paths: [], at: 0 });
      return;
    }
    const stop = new AbortController();
    void findInJson(value, text, stop.signal).then((paths) => {
      if (!stop.signal.aborted) setFound({ paths, at: 0 });
    });
    return () => stop.abort();
  }, [text, value]);
  const move = (by: number) => {
    const { paths, at } = found;
    if (paths.length > 0) setFound({ paths, at: (at + by + paths.length) % paths.length });
  };
  const shown = found.paths[found.at];
  return (
    <div class="json">
      <div class="json-bar">
        {isLarge && (
          <>
            <input
              type="search"
              placeholder="Find in JSON"
              aria-label={`Find in ${label}`}
              value={text}
              onInput={(event) => setText(event.currentTarget.value)}
              onKeyDown={(event) => {
                if (event.key === 'Enter') move(event.shiftKey ? -1 : 1);
              }}
            />
            {text !== '' && (
              <span class="num muted" role="status">
                {found.paths.length === 0 ? 'not found' : `${found.at + 1} of ${found.paths.length}`}
              </span>
            )}
          </>
        )}
        <Copy text={() => JSON.stringify(value, null, 2) ?? 'null'} />
      </div>
      <div class="json-body">
        <Node name={undefined} value={value} path={[]} depth={0} shown={shown} />
      </div>
    </div>
  );
}

interface NodeProps {
  readonly name: string | number | undefined;
  readonly value: unknown;
  readonly path: JsonPath;
  readonly depth: number;
  /** What the search points at. The nodes above it unfold. */
  readonly shown: JsonPath | undefined;
}

function Node({ name, value, path, depth, shown }: NodeProps) {
  const isFolder = typeof value === 'object' && value !== null && Object.keys(value).length > 0;
  const isShown = shown !== undefined && isSamePath(shown, path);
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (isShown) ref.current?.scrollIntoView({ block: 'nearest' });
  }, [isShown, shown]);
  const key = name === undefined ? null : <Key name={name} />;
  if (!isFolder) {
    return (
      <div ref={ref} class={`json-leaf ${isShown ? 'is-shown' : ''}`}>
        {key}
        <Scalar value={value} />
      </div>
    );
  }
  const size = Object.keys(value).length;
  const [open, close] = Array.isArray(value) ? ['[', ']'] : ['{', '}'];
  return (
    <Folder
      isOpenAtFirst={depth < OPEN_DEPTH && size <= OPEN_MEMBERS}
      mustOpen={shown !== undefined && shown.length > path.length && beginsWith(shown, path)}
      head={(isOpen) => (
        <span ref={ref} class={isShown ? 'is-shown' : ''}>
          {key}
          {open}
          {!isOpen && (
            <span class="muted">
              {' '}
              {size}{' '}
              {Array.isArray(value)
                ? size === 1
                  ? 'item'
                  : 'items'
                : size === 1
                  ? 'member'
                  : 'members'}{' '}
            </span>
          )}
          {!isOpen && close}
        </span>
      )}
      body={() => <Members {...{ value, path, depth, shown }} />}
      tail={close}
    />
  );
}

function Members({ value, path, depth, shown }: Omit<NodeProps, 'name'>) {
  const members = membersOf(value);
  const nodesOf = (from: number) =>
    members
      .slice(from, from + PART_SIZE)
      .map(([name, member]) => (
        <Node key={name} name={name} value={member} path={[...path, name]} depth={depth + 1} shown={shown} />
      ));
  if (members.length <= PART_SIZE) return <>{nodesOf(0)}</>;
  const shownAt =
    shown && beginsWith(shown, path) ? members.findIndex(([name]) => name === shown[path.length]) : -1;
  const parts = [];
  for (let from = 0; from < members.length; from += PART_SIZE) {
    const to = Math.min(members.length, from + PART_SIZE);
    parts.push(
      <Folder
        key={from}
        isOpenAtFirst={false}
        mustOpen={shownAt >= from && shownAt < to}
        head={() => <span class="muted num">{`${from} … ${to - 1}`}</span>}
        body={() => <>{nodesOf(from)}</>}
        tail=""
      />,
    );
  }
  return <>{parts}</>;
}

interface FolderProps {
  readonly isOpenAtFirst: boolean;
  readonly mustOpen: boolean;
  readonly head: (isOpen: boolean) => preact.ComponentChildren;
  readonly body: () => preact.ComponentChildren;
  readonly tail: string;
}

function Folder({ isOpenAtFirst, mustOpen, head, body, tail }: FolderProps) {
  const [isOpen, setOpen] = useState(isOpenAtFirst || mustOpen);
  useEffect(() => {
    if (mustOpen) setOpen(true);
  }, [mustOpen]);
  return (
    <div class="json-folder">
      <button type="button" class="json-fold" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <span class="json-arrow" aria-hidden="true">
          {isOpen ? '▾' : '▸'}
        </span>
        {head(isOpen)}
      </button>
      {isOpen && <div class="json-members">{body()}</div>}
      {isOpen && tail !== '' && <div class="json-leaf">{tail}</div>}
    </div>
  );
}

function Key({ name }: { readonly name: string | number }) {
  return (
    <>
      <span class={typeof name === 'number' ? 'muted' : 'json-key'}>{name}</span>
      <span class="muted">: </span>
    </>
  );
}

function Scalar({ value }: { readonly value: unknown }) {
  const [isWhole, setWhole] = useState(false);
  if (typeof value !== 'string') {
    const kind =
      value === null || value === undefined ? 'null' : typeof value === 'object' ? 'null' : typeof value;
    const text = Array.isArray(value)
      ? '[]'
      : typeof value === 'object' && value !== null
        ? '{}'
        : String(value ?? null);
    return <span class={`json-${kind}`}>{text}</span>;
  }
  // In place of a value that can't be shown.
  if (HIDDEN.includes(value)) return <span class="json-null">{value.slice(1, -1)}</span>;
  if (isWhole || value.length <= LONG_TEXT) return <span class="json-string">{JSON.stringify(value)}</span>;
  return (
    <span class="json-string">
      {`${JSON.stringify(value.slice(0, LONG_TEXT)).slice(0, -1)}…`}{' '}
      <button type="button" class="quiet" onClick={() => setWhole(true)}>
        all {value.length.toLocaleString()} characters
      </button>
    </span>
  );
}

/** Whether there are at least so many values, without counting the rest. */
function countAtLeast(value: unknown, least: number): boolean {
  let count = 0;
  const stack = [value];
  while (stack.length > 0 && count < least) {
    const one = stack.pop();
    count++;
    if (typeof one === 'object' && one !== null) stack.push(...Object.values(one).slice(0, least));
  }
  return count >= least;
}
