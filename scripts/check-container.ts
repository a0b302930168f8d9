/**
 * Runs the commands of the Dockerfile one by one in a temporary folder, as far as that is possible outside of a container: its stages
 * are folders, and there is no user `node` in them. Then it starts what the image starts, asks its health check, triggers a run, and sends
 * SIGTERM. Reports which instructions were left out.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Copy, DockerfileParser, type From, type Instruction } from 'dockerfile-ast';

const START_WITHIN_MS = 30_000;
const KEY = '0123456789abcdef';

/** A stage of the image, as a folder that stands for its root. */
interface Stage {
  readonly root: string;
  workdir: string;
  readonly env: Record<string, string>;
}

const folder = mkdtempSync(join(tmpdir(), 'durably-container-'));
const leftOut: string[] = [];
let service: ChildProcess | undefined;
try {
  const { stage, command, healthcheck } = buildImage(readFileSync('Dockerfile', 'utf8'));
  await tryService(stage, { command, healthcheck });
  console.log(`the image's commands work; not tried here: ${leftOut.join(', ')}`);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  service?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}

function buildImage(text: string) {
  const stages = new Map<string, Stage>();
  let stage: Stage = { root: folder, workdir: folder, env: {} };
  let command: readonly string[] = [];
  let healthcheck: readonly string[] = [];
  for (const instruction of DockerfileParser.parse(text).getInstructions()) {
    const words = instruction.getExpandedArguments().map((word) => word.getValue());
    const line = instruction.getRawArgumentsContent() ?? '';
    switch (instruction.getKeyword()) {
      case 'FROM': {
        const name = (instruction as From).getBuildStage() ?? 'final';
        const root = join(folder, name);
        mkdirSync(root);
        stage = { root, workdir: root, env: {} };
        stages.set(name, stage);
        leftOut.push(`FROM ${words[0]}`);
        break;
      }
      case 'WORKDIR':
        stage.workdir = join(stage.root, words[0] ?? '');
        mkdirSync(stage.workdir, { recursive: true });
        break;
      case 'COPY':
        copy(stage, words, stages.get(fromOf(instruction) ?? ''));
        break;
      case 'RUN':
        console.log(`RUN ${line}`);
        execFileSync('sh', ['-c', inFolder(stage, line)], {
          cwd: stage.workdir,
          stdio: 'inherit',
          // What was downloaded before is not asked for again.
          env: { ...process.env, npm_config_prefer_offline: 'true' },
        });
        break;
      case 'ENV':
        for (const word of words) {
          const [name = '', value = ''] = word.split(/=(.*)/s);
          stage.env[name] = inFolder(stage, value);
        }
        break;
      case 'CMD':
        command = JSON.parse(line);
        break;
      case 'HEALTHCHECK':
        healthcheck = JSON.parse(/CMD\s+(\[.*\])$/s.exec(line)?.[1] ?? 'null');
        break;
      default:
        leftOut.push(`${instruction.getKeyword()} ${line}`);
    }
  }
  return { stage, command, healthcheck };
}

function fromOf(instruction: Instruction): string | undefined {
  return (instruction as Copy).getFromFlag()?.getValue() ?? undefined;
}

function copy(stage: Stage, words: readonly string[], from: Stage | undefined): void {
  const [destination = '', ...names] = words.toReversed();
  const target = join(stage.workdir, destination);
  for (const name of names) {
    if (name === '.') copyContext(target);
    else {
      const source = from === undefined ? resolve(name) : join(from.root, name);
      cpSync(source, destination.endsWith('/') ? join(target, name.replace(/.*\//, '')) : target, {
        recursive: true,
      });
    }
  }
}

/** What `.dockerignore` leaves, whose lines name what is at the top, or are paths to leave out. */
function copyContext(target: string): void {
  const lines = readFileSync('.dockerignore', 'utf8').split('\n');
  for (const line of lines) {
    if (line.startsWith('!')) cpSync(line.slice(1), join(target, line.slice(1)), { recursive: true });
    else if (line.includes('/')) {
      const [path = ''] = line.split('*');
      rmSync(join(target, path), { force: true });
    }
  }
}

/** Paths of the image's root lead into the stage, which knows no users. */
function inFolder({ root }: Stage, text: string): string {
  return text.replace(/ -o node -g node/g, '').replace(/(?<=^|[\s:])\/(?=data)/g, `${root}/`);
}

async function tryService(
  stage: Stage,
  { command, healthcheck }: { readonly command: readonly string[]; readonly healthcheck: readonly string[] },
): Promise<void> {
  const env = { PATH: process.env.PATH, ...stage.env, PORT: String(await freePort()), HOST: '127.0.0.1' };
  const options = { cwd: stage.workdir, env: { ...env, DURABLY_API_KEYS: `check:${KEY}` } };
  const before = filesIn(stage.workdir);
  const [file = '', ...args] = command;
  service = spawn(file, args, { ...options, stdio: ['ignore', 'inherit', 'inherit'] });
  const exit = once(service, 'exit');
  await untilHealthy(healthcheck, options);
  await runOne(`http://127.0.0.1:${env.PORT}/api/durably`);
  service.kill('SIGTERM');
  const [code] = await exit;
  if (code !== 0) throw new Error(`SIGTERM ended the service with ${code}`);
  if (filesIn(stage.workdir) !== before) throw new Error('the service has changed /app, which is read-only');
  if (isHealthy(healthcheck, options))
    throw new Error('the health check finds a service that has ended healthy');
}

type Options = { readonly cwd: string; readonly env: Readonly<Record<string, string | undefined>> };

async function untilHealthy(healthcheck: readonly string[], options: Options): Promise<void> {
  const deadline = performance.now() + START_WITHIN_MS;
  while (!isHealthy(healthcheck, options)) {
    if (performance.now() > deadline) throw new Error('the service did not become healthy');
    await new Promise((done) => setTimeout(done, 100));
  }
}

function isHealthy([file = '', ...args]: readonly string[], options: Options): boolean {
  try {
    execFileSync(file, args, { ...options, stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Triggers a run that fails at once, and waits for its end. */
async function runOne(api: string): Promise<void> {
  const headers = { authorization: `Bearer ${KEY}` };
  const body = JSON.stringify({ jobName: 'import-csv', input: { file: 'none.csv' } });
  const answer = await fetch(`${api}/trigger`, { method: 'POST', headers, body });
  if (!answer.ok) throw new Error(`/trigger answered ${answer.status} ${await answer.text()}`);
  const { runId } = await answer.json();
  const events = await fetch(`${api}/subscribe?runId=${runId}`, { headers });
  for await (const bytes of events.body ?? []) {
    if (Buffer.from(bytes).toString().includes('"run:fail"')) return;
  }
  throw new Error('the run did not end');
}

/** The names, sizes and times of everything below a folder. */
function filesIn(root: string): string {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).sort();
  return names
    .map((name) => {
      const { size, mtimeMs } = statSync(join(root, name), { throwIfNoEntry: false }) ?? {};
      return `${name} ${size} ${mtimeMs}`;
    })
    .join('\n');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  if (typeof address !== 'object' || address === null) throw new Error('no port is free');
  return address.port;
}
