import { z } from 'zod';
import type { SignalBody } from './api.ts';
import { Caller } from './caller.ts';
import type { Fleet } from './fleet.ts';
import type { Random } from './random.ts';

const dispositionSchema = z.object({ disposition: z.enum(['accepted', 'duplicate']) });
const waitingSchema = z.array(
  z.object({
    id: z.string(),
    parentRunId: z.string().nullable(),
    waits: z.array(z.object({ signal: z.string().optional() })),
  }),
);

/** What a run was told, and what became of it. */
export interface SentSignal {
  readonly runId: string;
  readonly body: SignalBody;
  /** `refused`: the run was over. */
  readonly answer: 'accepted' | 'refused';
}

/** Sends signals through any process until they are answered, and some several times. */
export class Postman {
  readonly sent: SentSignal[] = [];
  /** Answers that it must not get. */
  readonly violations: string[] = [];
  readonly #caller: Caller;
  readonly #random: Random;
  #number = 0;

  constructor(fleet: Fleet, random: Random) {
    this.#caller = new Caller(fleet, random.fork());
    this.#random = random;
  }

  /** Some runs that wait, read through any process. */
  async listWaiting(caller: Caller): Promise<z.infer<typeof waitingSchema>> {
    const { text, status } = await caller.ask((api) => api.listed('status=waiting&limit=1000'));
    if (status === 200) return waitingSchema.parse(JSON.parse(text));
    this.violations.push(`the waiting runs were answered ${status}: ${text}`);
    return [];
  }

  async send(runId: string, name: string): Promise<void> {
    const random = this.#random;
    const number = this.#number++;
    // Large payloads don't come with a claim.
    const filler = random.chance(0.1) ? 'x'.repeat(random.pick([2_000, 6_000])) : '';
    const body = { name, signalId: `signal ${number}`, payload: { number, filler } };
    const times = random.chance(0.3) ? 2 : 1;
    const answers = await Promise.all(Array.from({ length: times }, () => this.#deliver(runId, body)));
    if (random.chance(0.1)) answers.push(await this.#deliver(runId, body));
    // Sent again after the run's end, it is a duplicate if it was stored before.
    const accepted = answers.filter((answer) => answer === 'accepted').length;
    if (accepted > 0 && accepted < answers.length)
      this.violations.push(`${body.signalId} to ${runId} was accepted and refused`);
    this.sent.push({ runId, body, answer: accepted > 0 ? 'accepted' : 'refused' });
  }

  async #deliver(runId: string, body: SignalBody): Promise<'accepted' | 'refused'> {
    const { status, text } = await this.#caller.ask((api) => api.signal(runId, body));
    if (status === 409) return 'refused';
    const { success } = dispositionSchema.safeParse(status === 200 ? JSON.parse(text) : undefined);
    if (!success) this.violations.push(`${body.signalId} to ${runId} was answered ${status}: ${text}`);
    return 'accepted';
  }
}
