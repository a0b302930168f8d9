import type { ComponentChildren, Ref } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

/** Rows beyond the visible ones, so that a quick scroll does not show an empty place. */
const SPARE_ROWS = 12;
/** Browsers draw no element that is higher than some 17 million pixels. */
const MAX_HEIGHT = 8_000_000;
/** The reader is at the end while it is this near. */
const NEAR_END_PX = 30;

export interface VirtualRowsProps {
  readonly count: number;
  readonly rowHeight: number;
  readonly label: string;
  /** Draws one row. It is placed by the list. */
  readonly row: (index: number) => ComponentChildren;
  readonly class?: string;
  /** Whether the rows are those of a table or the items of a list. */
  readonly role: 'rowgroup' | 'list';
  /** How many rows a table has, its head included; -1 if that is not known. */
  readonly rowCount?: number;
  /** Called when the end comes into sight. */
  readonly onEnd?: () => void;
  readonly onScroll?: (scroller: HTMLElement) => void;
  /** Gets the scrolled element. */
  readonly scrollerRef?: Ref<HTMLDivElement>;
  readonly head?: ComponentChildren;
  /** A row that must be in sight. It is scrolled to when it changes. */
  readonly shown?: number | undefined;
  /** Keeps the end in sight as the list grows, until the reader scrolls away from it. */
  readonly followsEnd?: boolean;
}

/** A list that draws the rows in sight alone, however long it is. All rows have the same height. */
export function VirtualRows(props: VirtualRowsProps) {
  const { count, rowHeight, label, role, row, onEnd, onScroll, head, shown } = props;
  const own = useRef<HTMLDivElement>(null);
  const headRef = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 800 });

  const measure = () => {
    const element = own.current;
    if (element === null) return;
    const [top, height] = [element.scrollTop, element.clientHeight];
    setView((old) => (old.top === top && old.height === height ? old : { top, height }));
  };
  useLayoutEffect(() => {
    const element = own.current;
    if (element === null) return;
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(() => {
    const element = own.current;
    if (element === null || shown === undefined) return;
    const headHeight = headRef.current?.offsetHeight ?? 0;
    const top = shown * rowHeight;
    if (top < element.scrollTop) element.scrollTop = top;
    const bottom = top + rowHeight + headHeight - element.clientHeight;
    if (bottom > element.scrollTop) element.scrollTop = bottom;
  }, [shown, rowHeight]);

  const isAtEndRef = useRef(props.followsEnd === true);
  useLayoutEffect(() => {
    const element = own.current;
    if (element !== null && props.followsEnd === true && isAtEndRef.current)
      element.scrollTop = element.scrollHeight;
  }, [count, props.followsEnd]);

  const height = Math.min(count * rowHeight, MAX_HEIGHT);
  const first = Math.max(0, Math.floor(view.top / rowHeight) - SPARE_ROWS);
  const last = Math.min(count, Math.ceil((view.top + view.height) / rowHeight) + SPARE_ROWS);
  const isAtEnd = last >= count;
  useEffect(() => {
    if (isAtEnd) onEnd?.();
  }, [isAtEnd, count]);

  // A row that comes into sight takes the elements of one that has left it.
  const slots = Math.ceil(view.height / rowHeight) + 2 * SPARE_ROWS + 2;
  const rows = [];
  for (let index = first; index < last; index++) {
    rows.push(
      <div
        key={index % slots}
        class="virtual-row"
        style={{ top: `${index * rowHeight}px`, height: `${rowHeight}px` }}
        role="presentation"
      >
        {row(index)}
      </div>,
    );
  }
  return (
    <div
      class={`virtual ${props.class ?? ''}`}
      {...(role === 'rowgroup'
        ? { role: 'table', 'aria-label': label, 'aria-rowcount': props.rowCount }
        : {})}
      tabIndex={0}
      ref={(element) => {
        own.current = element;
        const given = props.scrollerRef;
        if (typeof given === 'function') given(element);
        else if (given) given.current = element;
      }}
      onScroll={(event) => {
        measure();
        const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
        isAtEndRef.current = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
        onScroll?.(event.currentTarget);
      }}
    >
      {head !== undefined && (
        <div class="virtual-head" ref={headRef} role="presentation">
          {head}
        </div>
      )}
      <div
        class="virtual-body"
        style={{ height: `${height}px` }}
        role={role}
        aria-label={role === 'rowgroup' ? undefined : label}
      >
        {rows}
      </div>
    </div>
  );
}
