import { formatClock, formatDuration } from '../parts/clock.ts';
import { ErrorView } from '../parts/error-view.tsx';
import { JsonTree } from '../parts/json-tree.tsx';
import { hrefOf } from '../shell/router.ts';
import type { Bar, Lane } from './lane.ts';

/** One step: its tries and waits, and what came of them. */
export function StepPanel({ lane }: { readonly lane: Lane; readonly version: number }) {
  return (
    <div class="columns">
      <div>
        <h2>Tries</h2>
        <table class="tries num">
          <thead>
            <tr>
              <th>What</th>
              <th>Began</th>
              <th class="num">Took</th>
              <th>Outcome</th>
            </tr>
          </thead>
          <tbody>
            {lane.bars.map((bar, i) => (
              <TryRow key={i} bar={bar} kind={lane.kind} />
            ))}
          </tbody>
        </table>
        {lane.childRunId !== null && (
          <p>
            Its run:{' '}
            <a class="mono" href={hrefOf('run', lane.childRunId)}>
              {lane.childRunId}
            </a>
          </p>
        )}
      </div>
      <div>
        {lane.errorDetail !== null && (
          <>
            <h2>Error</h2>
            <ErrorView detail={lane.errorDetail} />
          </>
        )}
        {lane.errorDetail === null && lane.error !== null && <p class="error-text">{lane.error}</p>}
        {lane.hasOutput && (
          <>
            <h2>Output</h2>
            <JsonTree label={`the output of ${lane.name}`} value={lane.output} />
          </>
        )}
        {!lane.hasOutput && lane.error === null && (
          <>
            <h2>Output</h2>
            <p class="muted">Not yet</p>
          </>
        )}
      </div>
    </div>
  );
}

function TryRow({ bar, kind }: { readonly bar: Bar; readonly kind: Lane['kind'] }) {
  return (
    <tr>
      <td>{kind !== 'run' && bar.kind === 'try' ? kind : bar.text}</td>
      <td>{formatClock(new Date(bar.fromMs).toISOString())}</td>
      <td class="num">{bar.toMs === null ? '…' : formatDuration(bar.toMs - bar.fromMs)}</td>
      <td class={bar.outcome === 'failed' ? 'error-text' : ''}>
        {bar.outcome === 'open' ? 'goes on' : bar.kind === 'wait' ? 'over' : bar.outcome}
        {bar.error !== null && <div class="try-error">{bar.error}</div>}
      </td>
    </tr>
  );
}
