import { DurablyError } from './errors.ts';

// What a client meets besides the errors of the library: those that only a service answers with.

/** The service wants a key, or does not know the one that was sent. */
export class UnauthorizedError extends DurablyError {
  constructor(message: string) {
    super('UNAUTHORIZED', message);
  }
}

/** The caller may not do that: a hook of the service refuses it, or the request's host or origin is foreign. */
export class ForbiddenError extends DurablyError {
  constructor(message: string) {
    super('FORBIDDEN', message);
  }
}

/** The caller has sent more requests than the service allows. */
export class RateLimitedError extends DurablyError {
  /** How long to wait before the next request, in ms. Null if the service did not say. */
  readonly retryAfter: number | null;

  constructor(message: string, retryAfter: number | null) {
    super('RATE_LIMITED', message);
    this.retryAfter = retryAfter;
  }
}

/**
 * The service can't be reached, is shutting down, or broke off its answer. Whether a change was made is not known, unless it
 * was refused. `cause` is the error of `fetch`, if there is one.
 */
export class ServiceUnavailableError extends DurablyError {
  constructor(message: string, options?: ErrorOptions) {
    super('SERVICE_UNAVAILABLE', message, options);
  }
}

/** The service has a fault, or what answers at this address is not durably. */
export class ServiceError extends DurablyError {
  /** The HTTP status of the answer. */
  readonly status: number;
  /** The id of the request, by which the service's log names it. Null if the answer has none. */
  readonly requestId: string | null;

  constructor(message: string, { status, requestId }: Pick<ServiceError, 'status' | 'requestId'>) {
    super('SERVICE', message);
    this.status = status;
    this.requestId = requestId;
  }
}
