import type { BrowserContext, Page } from 'playwright-core';

/** A page that notes what it must not do: log an error, or ask another host. */
export interface OpenedPage {
  readonly page: Page;
  readonly faults: string[];
}

/** A page without a service. */
export const BLANK = 'about:blank';

export interface OpenOptions {
  readonly url: string;
  /** Such as `#/jobs`. */
  readonly hash?: string;
  readonly path?: string;
}

export async function openPage(
  context: BrowserContext,
  { url, hash = '', path = '/' }: OpenOptions,
): Promise<OpenedPage> {
  const page = await context.newPage();
  const faults: string[] = [];
  page.setDefaultTimeout(15_000);
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') faults.push(`console: ${message.text()}`);
  });
  page.on('request', (request) => {
    if (url !== BLANK && !request.url().startsWith(`${url}/`))
      faults.push(`foreign request: ${request.url()}`);
  });
  await page.goto(`${url}${path}${hash}`);
  return { page, faults };
}
