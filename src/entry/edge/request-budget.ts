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

  /** {@link fetch} until so many requests have been sent; from then on it refuses, and sends nothing. */
  fetchUntil(requests: number): typeof fetch {
    return (input, init) => {
      if (this.#sent < requests) return this.fetch(input, init);
      return Promise.reject(
        new Error(`this invocation may send no more than ${requests} requests for its jobs`),
      );
    };
  }

  /** Aborts when so many requests have been sent. */
  signalAfter(requests: number): AbortSignal {
    const controller = new AbortController();
    this.#limits.push({ at: requests, controller });
    if (this.#sent >= requests) controller.abort();
    return controller.signal;
  }
}
