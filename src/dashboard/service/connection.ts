import { computed, signal } from '@preact/signals';
import { createDurablyClient } from '../../client.ts';
import { learnClock } from '../parts/clock.ts';
import { apiUrl } from './page-config.ts';

/**
 * - `connecting`: nothing has answered yet.
 * - `lost`: the last request did not reach the service, or its database.
 */
export type ConnectionState = 'connecting' | 'connected' | 'lost';

export const connection = signal<ConnectionState>('connecting');

/** Why the page asks for a key: there is none, or the service refuses it. Null if it need not ask. */
export const keyWanted = signal<'missing' | 'wrong' | null>(null);

const KEY_NAME = `durably key ${apiUrl}`;
const key = signal(sessionStorage.getItem(KEY_NAME) ?? undefined);

/** What a header can carry. No service knows another key, and to send it would fail as if the service were gone. */
const SENDABLE = /^[\x20-\x7e\xa0-\xff]*$/;

export function giveKey(given: string): void {
  if (!SENDABLE.test(given)) {
    keyWanted.value = 'wrong';
    return;
  }
  sessionStorage.setItem(KEY_NAME, given);
  keyWanted.value = null;
  key.value = given;
}

export function forgetKey(): void {
  sessionStorage.removeItem(KEY_NAME);
  key.value = undefined;
}

export const hasKey = computed(() => key.value !== undefined);

/** Fetches, and notes whether the service answers, and whether it wants a key. */
async function watchedFetch(url: string, init: RequestInit): Promise<Response> {
  const given = key.peek();
  try {
    const response = await fetch(url, { ...init, cache: 'no-store' });
    connection.value =
      response.status === 502 || response.status === 503 || response.status === 504 ? 'lost' : 'connected';
    learnClock(response.headers.get('date'));
    // An answer to an older key says nothing about the one given meanwhile.
    if (response.status === 401 && given === key.peek()) {
      keyWanted.value = given === undefined ? 'missing' : 'wrong';
    }
    return response;
  } catch (error) {
    if (!(init.signal?.aborted ?? false)) connection.value = 'lost';
    throw error;
  }
}

/** The client with the present key. Views that read it in a signal's scope read again with a new key. */
export const client = computed(() =>
  createDurablyClient({ url: apiUrl, apiKey: key.value, fetch: watchedFetch }),
);
