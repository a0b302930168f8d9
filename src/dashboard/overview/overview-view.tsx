export function OverviewView() {
  return <p>…</p>;
}
