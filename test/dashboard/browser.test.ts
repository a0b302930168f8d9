import type { Browser, BrowserContext } from 'playwright-core';
import { afterAll, beforeAll, describe } from 'vitest';
import { launchBrowser } from './browser.ts';
import type { DashboardTests } from './context.ts';
import { accessibility } from './views/accessibility.ts';
import { builtService } from './views/built-service.ts';
import { jobs } from './views/jobs.ts';
import { keys } from './views/keys.ts';
import { large } from './views/large.ts';
import { outages } from './views/outages.ts';
import { run } from './views/run.ts';
import { runCommands } from './views/run-commands.ts';
import { runs } from './views/runs.ts';
import { schedules } from './views/schedules.ts';

// One file, so that there is one browser.
describe('the dashboard in Chromium', () => {
  let browser: Browser;
  let context: BrowserContext;
  beforeAll(async () => {
    browser = await launchBrowser();
    context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  }, 60_000);
  afterAll(() => browser.close());
  const tests: DashboardTests = { context: () => context };

  describe('runs', () => runs(tests));
  describe('a run', () => run(tests));
  describe('the commands of a run', () => runCommands(tests));
  describe('jobs', () => jobs(tests));
  describe('schedules and overview', () => schedules(tests));
  describe('keys and modes', () => keys(tests));
  describe('outages', () => outages(tests));
  describe('many rows', () => large(tests));
  describe('the built service', () => builtService(tests));
  describe('accessibility', () => accessibility(tests));
});
