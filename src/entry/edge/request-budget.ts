/**
 * Counts the requests of one invocation, because the platform limits them, and signals when a given number has
 * been sent.
 */
export class RequestBudget {
  #sent = 0;
  readonly #limits: { readonly at: number; readonly controller: AbortController }[] = [];

  /** Sends a request and counts it. */
  readonly fetch: typeof fetch = (input, init) => {
    this.#sent++;
    for (const { at, controller } of this.#limits) if (this.#sent >= at) controller.abort();
    const request = new Request(input, init);
    // libsql-server takes long to compress. The platform may set this header itself.
    request.headers.set('accept-encoding', 'identity');
    return fetch(request);
  };

  /** A {@link fetch} that sends requests until this many have been sent in total, and then refuses them. */
  fetchUntil(requests: number): typeof fetch {
    return (input, init) => {
      if (this.#sent < requests) return this.fetch(input, init);
      return Promise.reject(
        new Error(`this invocation may send no more than ${requests} requests for its jobs`),
      );
    };
  }

  /** A signal that aborts when this many requests have been sent. */
  signalAfter(requests: number): AbortSignal {
    const controller = new AbortController();
    this.#limits.push({ at: requests, controller });
    if (this.#sent >= requests) controller.abort();
    return controller.signal;
  }
}
