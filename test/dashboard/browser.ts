import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import chromium from '@sparticuz/chromium';
import { type Browser, type LaunchOptions, chromium as playwright } from 'playwright-core';

const CACHE = join(import.meta.dirname, '../../node_modules/.cache/durably-chromium');

/** Chromium from npm on Linux. Elsewhere the Chrome that is installed, or the one that CHROMIUM_PATH names. */
export async function launchBrowser(): Promise<Browser> {
  // No `--single-process`, with which a page can take the browser with it.
  const args = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--headless=shell'];
  return await playwright.launch({ args, ...(await whichBrowser()) });
}

async function whichBrowser(): Promise<LaunchOptions> {
  const { CHROMIUM_PATH, TMPDIR } = process.env;
  if (CHROMIUM_PATH) return { executablePath: CHROMIUM_PATH };
  if (process.platform !== 'linux') return { channel: 'chrome' };
  // It is unpacked once, beside the packages. The folder for temporary files may be in memory.
  mkdirSync(CACHE, { recursive: true });
  process.env.TMPDIR = CACHE;
  try {
    return { executablePath: await chromium.executablePath() };
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  }
}
