import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import type { Answer, Api, TriggerBody } from './api.ts';
import type { Fleet } from './fleet.ts';
import type { Random } from './random.ts';

/**
 * A well-behaved caller: it sends its request to any process and repeats it until it is answered. It does not
 * know what became of requests whose answer was lost.
 */
export class Caller {
  readonly #fleet: Fleet;
  readonly #random: Random;
  /** The number of repetitions. */
  retries = 0;

  constructor(fleet: Fleet, random: Random) {
    this.#fleet = fleet;
    this.#random = random;
  }

  async trigger(body: TriggerBody & { readonly idempotencyKey: string }): Promise<string> {
    const answer = await this.ask((api) => api.trigger(body));
    if (answer.status !== 200) throw new Error(`a trigger was answered ${answer.status}: ${answer.text}`);
    return z.object({ runId: z.string() }).parse(JSON.parse(answer.text)).runId;
  }

  /** The answer of any process. 503 does not count as an answer. */
  async ask(question: (api: Api) => Promise<Answer>): Promise<Answer> {
    for (;;) {
      const api = this.#fleet.anyApi(this.#random);
      const answer = api && (await question(api).catch(() => undefined));
      if (answer && answer.status !== 503) return answer;
      this.retries++;
      await pause(this.#random.int(5, 50));
    }
  }
}
