import { type Config, ConfigError } from '../../app/config.ts';
import { ValidationError } from '../../core/errors/errors.ts';
import type { Webhooks } from '../../core/webhooks/webhooks.ts';
import { createWebhooks, type WebhookOptions } from '../../plugins/webhooks/create-webhooks.ts';

type WebhookSettings = Pick<
  Config,
  'DURABLY_WEBHOOKS' | 'DURABLY_WEBHOOK_ALLOW' | 'DURABLY_WEBHOOK_RUN_SECRET'
>;

/** The variable that an option comes from, as messages begin. */
const VARIABLES = [
  [/^(member of )?endpoints/, '$1DURABLY_WEBHOOKS'],
  [/^allow\b/, 'DURABLY_WEBHOOK_ALLOW'],
  [/^ofRuns\.secret/, 'DURABLY_WEBHOOK_RUN_SECRET'],
] as const;

/** The webhooks of the service. @throws {ConfigError} that names the variable, and not its value. */
export function readWebhooks(config: WebhookSettings): Webhooks {
  const { DURABLY_WEBHOOKS, DURABLY_WEBHOOK_ALLOW, DURABLY_WEBHOOK_RUN_SECRET: secret } = config;
  try {
    return createWebhooks({
      // Each is checked there.
      endpoints: DURABLY_WEBHOOKS as WebhookOptions['endpoints'],
      allow: DURABLY_WEBHOOK_ALLOW,
      ofRuns: secret.length === 0 ? undefined : { secret },
    });
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    const named = VARIABLES.reduce(
      (text, [option, variable]) => text.replace(option, variable),
      error.message,
    );
    const message = named.startsWith('DURABLY_') ? named : `DURABLY_WEBHOOKS: ${named}`;
    throw new ConfigError(message);
  }
}
