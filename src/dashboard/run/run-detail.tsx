import { useEffect, useState } from 'preact/hooks';
import type { Run } from '../../client.ts';
import { ErrorView } from '../parts/error-view.tsx';
import { JsonTree } from '../parts/json-tree.tsx';
import { Tabs } from '../parts/tabs.tsx';
import { route, setParams } from '../shell/router.ts';
import { Children } from './children.tsx';
import { EventsPanel } from './events-panel.tsx';
import type { LiveRun } from './live-run.ts';
import { LogsPanel } from './logs-panel.tsx';
import { StepPanel } from './step-panel.tsx';

/** The parts of a run below its timeline. Which one is open stands in the address. */
export function RunDetail({ run, live }: { readonly run: Run; readonly live: LiveRun }) {
  const { model } = live;
  live.version.value;
  const { params } = route.value;
  const stepName = params.get('step');
  const lane = stepName === null ? undefined : model.laneOf(stepName);
  const tabs = [
    ...(lane ? [{ name: 'step', title: `Step ${lane.name}` }] : []),
    { name: 'run', title: 'Run' },
    { name: 'logs', title: 'Logs', count: model.logs.length },
    { name: 'events', title: 'Events', count: model.events.length },
    { name: 'children', title: 'Children' },
  ];
  const wanted = params.get('tab') ?? 'run';
  const open = tabs.some(({ name }) => name === wanted) ? wanted : 'run';
  return (
    <section class="detail" aria-label="Details">
      <Tabs label="Details" tabs={tabs} open={open} onOpen={(tab) => setParams({ tab })} />
      <div class="panel" role="tabpanel" id={`panel-${open}`} aria-labelledby={`tab-${open}`} tabIndex={-1}>
        {open === 'step' && lane && <StepPanel lane={lane} version={live.version.value} />}
        {open === 'run' && <RunPanel run={run} />}
        {open === 'logs' && <LogsPanel live={live} stepName={stepName} />}
        {open === 'events' && <EventsPanel live={live} />}
        {open === 'children' && <Children run={run} />}
      </div>
    </section>
  );
}

function RunPanel({ run }: { readonly run: Run }) {
  return (
    <div class="columns">
      <div>
        <h2>Input</h2>
        <JsonTree label="input" value={run.payload} />
      </div>
      <div>
        {run.errorDetail !== null && (
          <>
            <h2>Error</h2>
            <ErrorView detail={run.errorDetail} />
          </>
        )}
        {run.status === 'completed' && (
          <>
            <h2>Output</h2>
            <Later>{() => <JsonTree label="output" value={run.output} />}</Later>
          </>
        )}
        {run.status !== 'completed' && run.errorDetail === null && (
          <>
            <h2>Output</h2>
            <p class="muted">{run.isTerminal ? 'None' : 'Not yet'}</p>
          </>
        )}
      </div>
    </div>
  );
}

/** Draws something large after the rest of the page. */
function Later({ children }: { readonly children: () => preact.ComponentChildren }) {
  const [isDue, setDue] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setDue(true));
    return () => clearTimeout(timer);
  }, []);
  return <>{isDue && children()}</>;
}
