/**
 * Counts the requests that one invocation sends, of which the platform allows
 * only so many, and tells when some number of them is gone.
 */
export class RequestBudget {
  #sent = 0;
  readonly #limits: { readonly at: number; readonly controller: AbortController }[] = [];

  /** Sends a request, and counts it. */
  readonly fetch: typeof fetch = (input, init) => {
    this.#sent++;
    for (const { at, controller } of this.#limits) if (this.#sent >= at) controller.abort();
    return fetch(input, init);
  };

  /** Aborts when so many requests have been sent. */
  signalAfter(requests: number): AbortSignal {
    const controller = new AbortController();
    this.#limits.push({ at: requests, controller });
    if (this.#sent >= requests) controller.abort();
    return controller.signal;
  }
}
