import { createHash } from 'node:crypto';
import { ValidationError } from '../../core/errors/errors.ts';
import { NonRetryableError } from '../../core/retries/retry-errors.ts';
import { checkMembers, type MembersOf } from '../../core/validation/known-names.ts';
import { refuseMember } from '../../core/validation/refusal.ts';
import { shownValue } from '../../core/validation/shown-value.ts';
import {
  type RunWebhook,
  WEBHOOK_EVENTS,
  type WebhookEvent,
  type WebhookSubscription,
  type Webhooks,
} from '../../core/webhooks/webhooks.ts';
import type { Delivery } from './delivery.ts';
import { createDeliveryJob, type Receiver } from './delivery-job.ts';
import { type ResolveHost, resolveByDns } from './post.ts';
import { NotDeliveredError } from './retries.ts';
import { parseSecrets, SECRET_RULE } from './signature.ts';
import { AllowedHosts, parseHost, parseTarget } from './target.ts';

/** The most webhooks of all runs: each end of a run looks at all of them. */
const MAX_ENDPOINTS = 50;

/** Who is told of the ends of runs. */
export interface WebhookEndpoint {
  /** http(s), to a public address or a host in `allow`. No other webhook has it. */
  readonly url: string;
  /** `whsec_` and base64. Two of them while one replaces the other: both sign. */
  readonly secret: string | readonly string[];
  /** Default: all. */
  readonly events?: readonly WebhookEvent[] | undefined;
  /** The names of the jobs whose runs it is told of. Default: all. */
  readonly jobs?: readonly string[] | undefined;
}

/** What an instance tells, to whom, and where it may send that. */
export interface WebhookOptions {
  /** Who is told of the ends of all runs, or of those of some jobs. At most 50. */
  readonly endpoints?: readonly WebhookEndpoint[] | undefined;
  /** Hosts that may have addresses that are not public, such as `hooks.internal` or `localhost:4000`. */
  readonly allow?: readonly string[] | undefined;
  /** Lets triggers name a webhook of their run (`webhook: { url }`), signed with this secret. Default: they may not. */
  readonly ofRuns?: { readonly secret: string | readonly string[] } | undefined;
}

const OPTIONS: MembersOf<WebhookOptions> = { endpoints: true, allow: true, ofRuns: true };
const ENDPOINT: MembersOf<WebhookEndpoint> = { url: true, secret: true, events: true, jobs: true };
const RUN_WEBHOOK: MembersOf<RunWebhook> = { url: true, events: true };
const OF_RUNS: MembersOf<NonNullable<WebhookOptions['ofRuns']>> = { secret: true };

/**
 * Webhooks for the option `webhooks` of `createDurably`: their receivers are told how runs end. Needs Node.
 *
 * @throws {ValidationError} that names what is wrong, without its value: it may be a secret.
 * @example
 * import { createDurably } from 'durably'
 * import { createWebhooks } from 'durably/webhooks'
 *
 * const webhooks = createWebhooks({
 *   endpoints: [{ url: 'https://example.com/hooks', secret: process.env.WEBHOOK_SECRET ?? '' }],
 * })
 * const durably = createDurably({ dialect, webhooks })
 */
export function createWebhooks(options: WebhookOptions): Webhooks {
  return webhooksWith(options, { resolveHost: resolveByDns });
}

/** {@link createWebhooks} with another way to resolve host names. */
export function webhooksWith(
  options: WebhookOptions,
  { resolveHost }: { readonly resolveHost: ResolveHost },
): Webhooks {
  checkMembers('createWebhooks option', options, OPTIONS);
  const { endpoints = [], allow = [], ofRuns } = options;
  const allowed = new AllowedHosts(hostsOf(allow));
  const parsed = listOf('endpoints', endpoints).map((one, index) => parseEndpoint(one, index, allowed));
  if (parsed.length > MAX_ENDPOINTS)
    throw refuseMember('endpoints', `must be at most ${MAX_ENDPOINTS}, not ${parsed.length}`);
  const byId = new Map(parsed.map((one) => [one.subscription.id, one.receiver]));
  if (byId.size < parsed.length) throw refuseMember('endpoints', 'must not have the same url twice');
  const keysOfRuns = ofRuns === undefined ? undefined : parseOfRuns(ofRuns);

  const receiverOf = ({ endpoint, host, url }: Delivery): Receiver => {
    if (endpoint === null) {
      const target = parseTarget(url, allowed);
      if (!target.ok) throw new NonRetryableError(`the url ${target.fault}`);
      if (keysOfRuns === undefined)
        throw new NotDeliveredError('this process allows no webhooks of single runs');
      return { url: target.url, keys: keysOfRuns, isAllowed: allowed.has(target.url) };
    }
    const receiver = byId.get(endpoint);
    if (receiver === undefined)
      throw new NotDeliveredError(`this process has no such webhook of ${host ?? 'a host'}`);
    return receiver;
  };

  return {
    endpoints: parsed.map(({ subscription }) => subscription),
    ofRuns: keysOfRuns !== undefined,
    acceptOfRun(given) {
      if (keysOfRuns === undefined)
        throw refuseMember(
          'webhook',
          'is not allowed here: webhooks of single runs need DURABLY_WEBHOOK_RUN_SECRET, or ofRuns.secret of createWebhooks',
        );
      return acceptOfRun(given, allowed);
    },
    createJob: (source) => createDeliveryJob({ receiverOf, resolveHost }, source),
  };
}

function hostsOf(allow: unknown): string[] {
  return listOf('allow', allow).map((given, index) => {
    const host = parseHost(given);
    if (host === undefined)
      // It is not shown: it may be a URL with a token.
      throw refuse('allow', index, 'must be a host such as hooks.internal or 10.0.0.7:4000');
    return host;
  });
}

function parseEndpoint(
  given: unknown,
  index: number,
  allowed: AllowedHosts,
): { readonly subscription: WebhookSubscription; readonly receiver: Receiver } {
  // The general message would show what was given in its place.
  if (typeof given !== 'object' || given === null) {
    throw refuse('endpoints', index, `must be an object, not ${typeof given}`);
  }
  checkMembers(`member of endpoints[${index}]`, given, ENDPOINT);
  const { url: text, secret, events, jobs } = given as WebhookEndpoint;
  const target = parseTarget(text, allowed);
  if (!target.ok) throw refuse('endpoints', index, target.fault, 'url');
  const keys = parseSecrets(secret);
  if (keys === undefined) throw refuse('endpoints', index, SECRET_RULE, 'secret');
  const { url } = target;
  const heard = eventsOf(events);
  if (heard === undefined) {
    throw refuse('endpoints', index, `${EVENTS_RULE}, not ${shownList(events, isEvent)}`, 'events');
  }
  if (jobs !== undefined && !(Array.isArray(jobs) && jobs.every(isText))) {
    throw refuse(
      'endpoints',
      index,
      `must be a list of names of jobs, not ${shownList(jobs, isText)}`,
      'jobs',
    );
  }
  // It stays the same when a secret, the events or the jobs change, and the database has no address.
  const id = `webhook_${createHash('sha256').update(url.href).digest('hex').slice(0, 24)}`;
  return {
    subscription: { id, host: url.host, events: heard, jobs: jobs ?? null },
    receiver: { url, keys, isAllowed: allowed.has(url) },
  };
}

function parseOfRuns(given: NonNullable<WebhookOptions['ofRuns']>): readonly Buffer[] {
  if (typeof given !== 'object' || given === null)
    throw refuseMember('ofRuns', 'must be an object with a secret');
  checkMembers('member of ofRuns', given, OF_RUNS);
  const keys = parseSecrets(given.secret);
  if (keys === undefined) throw refuseMember('ofRuns.secret', SECRET_RULE);
  return keys;
}

function acceptOfRun(given: unknown, allowed: AllowedHosts): string {
  checkMembers('member of webhook', given, RUN_WEBHOOK);
  const { url, events } = given as RunWebhook;
  const target = parseTarget(url, allowed);
  if (!target.ok) throw refuseMember('webhook.url', target.fault);
  const heard = eventsOf(events);
  if (heard === undefined) {
    throw refuseMember('webhook.events', `${EVENTS_RULE}, not ${shownList(events, isEvent)}`);
  }
  return JSON.stringify({ url: target.url.href, host: target.url.host, events: heard });
}

const EVENTS_RULE = `must be a list of ${WEBHOOK_EVENTS.join(', ')}`;

function eventsOf(given: unknown): readonly WebhookEvent[] | undefined {
  if (given == null) return WEBHOOK_EVENTS;
  if (!Array.isArray(given) || given.length === 0) return undefined;
  return given.every(isEvent) ? [...new Set<WebhookEvent>(given)] : undefined;
}

const isEvent = (given: unknown) => WEBHOOK_EVENTS.some((event) => event === given);
const isText = (given: unknown) => typeof given === 'string';

/** A refused list in a message: its first wrong element. */
function shownList(given: unknown, isGood: (element: unknown) => boolean): string {
  const wrong: unknown = Array.isArray(given) ? given.find((each) => !isGood(each)) : undefined;
  return shownValue(wrong ?? given);
}

function listOf(name: string, given: unknown): readonly unknown[] {
  if (Array.isArray(given)) return given;
  throw refuseMember(name, `must be a list, not ${typeof given}`);
}

function refuse(list: string, index: number, fault: string, member?: string): ValidationError {
  const place = `${list}[${index}]${member === undefined ? '' : `.${member}`}`;
  const path = [list, index, ...(member === undefined ? [] : [member])];
  const message = `${place} ${fault}`;
  return new ValidationError(message, [{ path, message }]);
}
