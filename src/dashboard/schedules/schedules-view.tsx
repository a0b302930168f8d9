export function SchedulesView() {
  return <p>…</p>;
}
