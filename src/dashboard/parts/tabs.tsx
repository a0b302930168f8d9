export interface Tab {
  readonly name: string;
  readonly title: string;
  readonly count?: number;
}

export interface TabsProps {
  readonly label: string;
  readonly tabs: readonly Tab[];
  readonly open: string;
  readonly onOpen: (name: string) => void;
}

/** Tabs, of which the arrow keys open the next (https://www.w3.org/WAI/ARIA/apg/patterns/tabs/). */
export function Tabs({ label, tabs, open, onOpen }: TabsProps) {
  const onKeyDown = (event: KeyboardEvent) => {
    const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (by === 0) return;
    const at = tabs.findIndex(({ name }) => name === open);
    const next = tabs[(at + by + tabs.length) % tabs.length];
    if (next === undefined) return;
    onOpen(next.name);
    document.getElementById(`tab-${next.name}`)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label={label} onKeyDown={onKeyDown}>
      {tabs.map(({ name, title, count }) => (
        <button
          key={name}
          type="button"
          role="tab"
          id={`tab-${name}`}
          aria-selected={name === open}
          aria-controls={name === open ? `panel-${name}` : undefined}
          tabIndex={name === open ? 0 : -1}
          title={title}
          onClick={() => onOpen(name)}
        >
          {title}
          {count !== undefined && <span class="tab-count num">{count.toLocaleString()}</span>}
        </button>
      ))}
    </div>
  );
}
