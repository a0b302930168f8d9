import type { ComponentType } from 'preact';
import { JobView } from '../jobs/job-view.tsx';
import { JobsView } from '../jobs/jobs-view.tsx';
import { OverviewView } from '../overview/overview-view.tsx';
import { RunView } from '../run/run-view.tsx';
import { RunsView } from '../runs/runs-view.tsx';
import { SchedulesView } from '../schedules/schedules-view.tsx';

interface View {
  /** Its name in the address. */
  readonly name: string;
  readonly title: string;
  /** The key that opens it. A view without one has no link in the bar. */
  readonly key?: string;
  /** The views that are about one of what it lists. */
  readonly of: readonly string[];
  readonly View: ComponentType;
}

export const VIEWS: readonly View[] = [
  { name: 'runs', title: 'Runs', key: '1', of: ['run'], View: RunsView },
  { name: 'jobs', title: 'Jobs', key: '2', of: ['job'], View: JobsView },
  { name: 'schedules', title: 'Schedules', key: '3', of: [], View: SchedulesView },
  { name: 'overview', title: 'Overview', key: '4', of: [], View: OverviewView },
  { name: 'run', title: 'Run', of: [], View: RunView },
  { name: 'job', title: 'Job', of: [], View: JobView },
];
