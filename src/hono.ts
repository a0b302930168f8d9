/** The door `durably/hono`: the service as a Hono app, for any durably instance. */
export { type ApiKeyPair, type ApiKeys, createApiKeys } from './app/api-keys.ts';
export { type CreateDurablyAppOptions, createDurablyApp } from './app/create-app.ts';
