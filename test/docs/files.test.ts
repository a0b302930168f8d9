import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Block, blocksIn, blocksOf, exists, ROOT, readDocuments, shellCommandsOf } from './markdown.ts';

/** How each kind of block is tested. `ts`, `console` and `diff` are tested in examples.test.ts. */
const LANGUAGES = ['console', 'diff', 'ini', 'mermaid', 'nginx', 'sh', 'text', 'ts', 'yaml'];

/** Shell commands that examples.test.ts runs, unchanged or with the test's port and folders. */
const RUN = [
  'node -p "crypto.randomBytes(32).toString(\'hex\')" > ~/durably.key',
  'chmod 600 ~/durably.key',
  'HOST=0.0.0.0 DURABLY_API_KEYS="dashboard:$(cat ~/durably.key)" npm start',
  'npm pkg set type=module',
  'DURABLY_TRACING=on node --import ./instrumentation.mjs dist/entry/node.js',
  "npm pkg set 'overrides[@libsql/kysely-libsql][@libsql/client]=^0.18.0'",
];

/** Shell commands that backups.test.ts runs, in folders of its own. */
const RUN_FOR_BACKUPS = [
  `sqlite3 /var/lib/durably/durably.db "VACUUM INTO '/backup/durably.db'"`,
  `node --eval "new (require('libsql'))('/var/lib/durably/durably.db').exec(\\"VACUUM INTO '/backup/durably.db'\\")"`,
  'rm -f /var/lib/durably/durably.db /var/lib/durably/durably.db-wal /var/lib/durably/durably.db-shm',
  'cp /backup/durably.db /var/lib/durably/durably.db',
];

/** Shell commands that no test here runs, and the reason. */
const NOT_RUN: Readonly<Record<string, string>> = {
  'DURABLY_WEBHOOKS=\'[{"url": "https://example.com/hooks", "secret": "whsec_…", "events": ["run.failed"]}]\' npm start':
    'needs a receiver and a secret; test/chaos/webhooks.test.ts starts the service with both',
  "node -p \"'whsec_' + crypto.randomBytes(32).toString('base64')\"":
    'tried by hand; what it prints is a secret for test/plugins/webhooks/options.test.ts',
  'npm ci && npm start': 'npm ci is how CI begins; npm start is run by examples.test.ts',
  'npm ci && npm test': 'npm ci is how CI begins; this test is a part of npm test',
  'npm pack': 'scripts/check-package.ts does',
  'npm install ../durably/durably-0.1.0.tgz zod': 'needs a registry; tried by hand',
  'npm install ../durably/durably-0.1.0.tgz zod @libsql/client @libsql/kysely-libsql':
    'needs a registry; tried by hand, in every order',
  'npm install @opentelemetry/api@1.9 @opentelemetry/resources@2 @opentelemetry/sdk-trace-node@2':
    'needs a registry; the tests use these versions',
  'npm install @opentelemetry/exporter-trace-otlp-http@0.223 @opentelemetry/instrumentation-undici@0.33':
    'needs a registry; the tests use these versions',
  'TURSO_DATABASE_URL=libsql://durably-acme.turso.io TURSO_AUTH_TOKEN=… node dist/entry/node.js':
    'needs an account; test/remote runs the service on a server',
  'systemctl stop durably': 'needs systemd',
  'systemctl start durably': 'needs systemd',
  'chown durably: /var/lib/durably/durably.db': 'needs a user durably',
  'npx durably migrate': 'test/cli/serve.test.ts runs it from the sources',
  'npx durably doctor': 'test/cli/serve.test.ts runs it from the sources',
  'docker build -t durably .': 'needs Docker; npm run check -- container runs the commands of the Dockerfile',
  'docker run -e DURABLY_API_KEYS="ops:$(cat ~/durably.key)" -v durably:/data -p 127.0.0.1:3000:3000 --read-only durably':
    'needs Docker',
  'docker compose up --build': 'needs Docker',
  'turso db create durably': 'needs an account',
  'turso db show durably --url': 'needs an account',
  'turso db tokens create durably': 'needs an account',
  'turso dev --db-file local.db': 'needs the turso CLI',
  'TURSO_DATABASE_URL=http://127.0.0.1:8080 npm start': 'needs a libSQL server',
  'openssl genpkey -algorithm ed25519 -out libsql.pem': 'openssl may be missing; tried by hand',
  'openssl pkey -in libsql.pem -pubout -out libsql.pub': 'openssl may be missing; tried by hand',
  'npx wrangler secret put TURSO_DATABASE_URL': 'needs an account',
  'npx wrangler secret put TURSO_AUTH_TOKEN': 'needs an account',
  'npx wrangler secret put DURABLY_API_KEYS': 'needs an account',
  'npx wrangler deploy': 'needs an account; scripts/check-worker.ts bundles what it would deploy',
};

const whereOf = ({ document, line }: Block) => `${document}:${line}`;

describe('a block of the documentation', () => {
  it('has a language that a test covers', () => {
    const unknown = readDocuments()
      .filter(({ path }) => !path.startsWith('docs/adr/'))
      .flatMap(blocksOf)
      .filter(({ language }) => !LANGUAGES.includes(language));
    expect(unknown.map(whereOf)).toEqual([]);
  });

  it('is executed if it holds shell commands, or says why not', () => {
    const commands = blocksIn('sh').flatMap(shellCommandsOf);
    const signing = commands.filter((command) => command.startsWith('node -e'));
    expect(signing).toHaveLength(1);
    const others = commands.filter((command) => !signing.includes(command));
    expect([...new Set(others)].sort()).toEqual([...RUN, ...RUN_FOR_BACKUPS, ...Object.keys(NOT_RUN)].sort());
  });

  it.each(blocksIn('yaml'))('is the file that it names, or YAML: $document:$line', ({ code }) => {
    const [, name, text = ''] = /^# (\S+\.ya?ml)\n(.*)$/s.exec(code) ?? [];
    if (name === undefined) return expect(parse(code).scrape_configs).toMatchObject([{ honor_labels: true }]);
    const file = readFileSync(join(ROOT, name), 'utf8').trimEnd();
    expect(file.replace(/^#.*\n/, '')).toBe(text);
  });

  it.each(blocksIn('ini'))('is a systemd unit: $document:$line', ({ code }) => {
    const lines = code.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    for (const line of lines) expect(line).toMatch(/^(\[(Unit|Service|Install)\]|[A-Z][A-Za-z]+=.+)$/);
    expect(lines).toContain('[Service]');
    const entry = /ExecStart=\S+ dist\/(\S+)\.js/.exec(code)?.[1];
    expect(exists(`src/${entry}.ts`)).toBe(true);
  });

  it.each(blocksIn('nginx'))('is nginx configuration: $document:$line', ({ code }) => {
    let depth = 0;
    for (const line of code.replace(/#.*$/gm, '').split('\n')) {
      if (line.trim() === '') continue;
      expect(line.trim()).toMatch(/[;{}]$/);
      depth += line.split('{').length - line.split('}').length;
      expect(depth).toBeGreaterThanOrEqual(0);
    }
    expect(depth).toBe(0);
    // nginx of Debian 12 does not know this directive. It knows `listen … http2`.
    expect(code.replace(/#.*$/gm, '')).not.toContain('http2 on');
  });

  it.each(blocksIn('mermaid'))('is a diagram: $document:$line', ({ code }) => {
    const [kind, ...lines] = code.split('\n').map((line) => line.trim());
    expect(kind).toBe('sequenceDiagram');
    for (const line of lines) {
      expect(line).toMatch(/^(participant \w+( as .+)?|\w+--?>>\w+: .+|loop .+|end|Note over [\w,]+: .+)$/);
    }
  });
});
