import { useEffect, useMemo } from 'preact/hooks';
import { Empty, Failure, Loading } from '../parts/notice.tsx';
import { client } from '../service/connection.ts';
import { useKeys } from '../shell/keys.ts';
import { go, hrefOf, lastRunsHref, route } from '../shell/router.ts';
import { LiveRun } from './live-run.ts';
import { RunDetail } from './run-detail.tsx';
import { RunHeader } from './run-header.tsx';
import { Timeline } from './timeline.tsx';

/** One run: what it is, its timeline, and its parts. */
export function RunView() {
  const { id } = route.value;
  const service = client.value;
  const live = useMemo(() => new LiveRun(id), [id, service]);
  useEffect(() => {
    live.start();
    return () => live.stop();
  }, [live]);
  useKeys({ Escape: () => go(lastRunsHref()) });

  const run = live.run.value;
  const error = live.error.value;
  if (live.isDeleted.value) {
    return (
      <Empty title="This run was deleted" isPage>
        <a href={hrefOf('runs')}>Show all runs</a>
      </Empty>
    );
  }
  if (live.isUnknown.value && run === undefined) {
    return (
      <Empty title="There is no such run" isPage>
        <p class="mono">{id}</p>
        <a href={hrefOf('runs')}>Show all runs</a>
      </Empty>
    );
  }
  if (run === undefined) {
    return (
      <>
        <h1 class="unseen">Run</h1>
        {error === undefined ? (
          <Loading />
        ) : (
          <Failure what="The run could not be read." error={error} again={() => live.start()} />
        )}
      </>
    );
  }
  return (
    <div class="view run">
      <RunHeader run={run} live={live} />
      {error !== undefined && (
        <Failure what="The run’s events could not be read." error={error} again={() => live.start()} />
      )}
      <Timeline live={live} />
      <RunDetail run={run} live={live} />
    </div>
  );
}
