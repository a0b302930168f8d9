/** Whether the page shows buttons that change something. */
export type DashboardMode = 'full' | 'read-only';

/** A file of the page. Its name contains the hash of its text. */
export interface DashboardFile {
  readonly name: string;
  readonly text: string;
}

/** The page's HTML. All of its addresses are relative to it, so that it works below any path. */
export function pageText(page: {
  readonly files: readonly DashboardFile[];
  readonly basePath: string;
  readonly mode: DashboardMode;
  /** The path of the request for the page, as the service sees it. */
  readonly path: string;
}): string {
  const here = prefixOf(page.path);
  const addressOf = (type: string) => {
    const name = page.files.find((file) => file.name.endsWith(`.${type}`))?.name ?? '';
    return escapeText(`${here}dashboard/${name}`);
  };
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<meta name="durably-api" content="${escapeText(`${here}${page.basePath.slice(1)}`)}">
<meta name="durably-mode" content="${page.mode}">
<title>durably</title>
<link rel="icon" type="image/svg+xml" href="${addressOf('svg')}">
<link rel="stylesheet" href="${addressOf('css')}">
<script type="module" src="${addressOf('js')}"></script>
</head>
<body>
<noscript>The dashboard needs JavaScript. The same data is at ${escapeText(page.basePath)}/runs.</noscript>
</body>
</html>
`;
}

/** Below `/jobs`, a browser resolves addresses from `/`. Below `/jobs/`, from there. */
function prefixOf(path: string): string {
  const last = path.slice(path.lastIndexOf('/') + 1);
  if (last === '') return '';
  return `./${encodeURIComponent(decoded(last))}/`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
