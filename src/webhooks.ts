/** The door `durably/webhooks`: others are told how runs end. For Node. */
export type { RunWebhook, WebhookEvent, Webhooks } from './core/webhooks/webhooks.ts';
export {
  createWebhooks,
  type WebhookEndpoint,
  type WebhookOptions,
} from './plugins/webhooks/create-webhooks.ts';
