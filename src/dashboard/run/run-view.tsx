export function RunView() { return <p>…</p>; }
