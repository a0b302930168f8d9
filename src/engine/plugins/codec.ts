import { errorMessage } from '../../core/errors/error-text.ts';
import { PluginError, PluginTimeoutError, UnreadableError } from '../../core/errors/errors.ts';
import { revealed } from '../../core/json/redacted.ts';
import { isSealed, readSealed, sealText } from '../../core/json/sealed.ts';
import type { DurablyPlugin } from '../../core/plugins/plugin.ts';
import type { Clock } from '../../core/time/clock.ts';
import { callInTime, NEEDED_WITHIN_MS, SHOWN_WITHIN_MS } from './in-time.ts';

/** What the plugins of an instance make of payloads before they are stored, and the reverse. */
export class Codec {
  readonly #clock: Clock;
  readonly #encoders: readonly DurablyPlugin[];
  readonly #decoders: ReadonlyMap<string, DurablyPlugin>;

  /** Undefined if none of the plugins has to do with payloads. */
  static of(plugins: readonly DurablyPlugin[], clock: Clock): Codec | undefined {
    return plugins.some(({ decode }) => decode !== undefined) ? new Codec(plugins, clock) : undefined;
  }

  private constructor(plugins: readonly DurablyPlugin[], clock: Clock) {
    this.#clock = clock;
    this.#encoders = plugins.filter(({ encode }) => encode !== undefined);
    this.#decoders = new Map(
      plugins.filter(({ decode }) => decode !== undefined).map((plugin) => [plugin.name, plugin]),
    );
  }

  /** Whether new values are encoded, and not only old ones decoded. */
  get isEncoding(): boolean {
    return this.#encoders.length > 0;
  }

  /**
   * The text as it is stored. Each plugin gets what the one before it has made, with that one's name.
   *
   * @throws {PluginError} if one of them can't encode it, or takes too long.
   */
  async seal(text: string): Promise<string> {
    let sealed = text;
    for (const plugin of this.#encoders) {
      const { name } = plugin;
      let content: unknown;
      try {
        content = await callInTime(() => plugin.encode?.(sealed), {
          ...{ plugin: name, hook: 'encode', withinMs: NEEDED_WITHIN_MS, clock: this.#clock },
        });
      } catch (error) {
        if (error instanceof PluginTimeoutError) throw error;
        throw new PluginError(name, `could not encode a value: ${errorMessage(error)}`, { cause: error });
      }
      if (typeof content !== 'string')
        throw new PluginError(name, `must return a string from encode, not a ${typeof content}`);
      sealed = sealText({ plugin: name, content }, text.length);
    }
    return sealed;
  }

  /**
   * The text as it was before {@link seal}.
   *
   * @throws {UnreadableError} if it can't be decoded here. @throws {PluginTimeoutError} if a plugin takes longer than `withinMs`.
   */
  async open(text: string, { withinMs }: { readonly withinMs: number }): Promise<string> {
    let opened = text;
    while (isSealed(opened)) {
      const { plugin: name, content } = readSealed(opened);
      const plugin = this.#decoders.get(name);
      if (plugin === undefined) throw noPlugin(name);
      let decoded: unknown;
      try {
        decoded = await callInTime(() => plugin.decode?.(content), {
          ...{ plugin: name, hook: 'decode', withinMs, clock: this.#clock },
        });
      } catch (error) {
        if (error instanceof PluginTimeoutError) throw error;
        throw cannotDecode(name, errorMessage(error), error);
      }
      if (typeof decoded !== 'string') throw cannotDecode(name, `decode returned a ${typeof decoded}`);
      opened = decoded;
    }
    return opened;
  }
}

/** What is stored for null stays null. */
export async function sealOrNull(codec: Codec, text: string | null | undefined): Promise<string | null> {
  return text == null ? null : await codec.seal(text);
}

/** The text of a message that the engine needs. @throws {UnreadableError | PluginTimeoutError} if it can't be decoded here, or now. */
export async function openText(codec: Codec | undefined, text: string): Promise<string> {
  if (!isSealed(text)) return text;
  if (codec === undefined) throw noPlugin(readSealed(text).plugin);
  return await codec.open(text, { withinMs: NEEDED_WITHIN_MS });
}

/** {@link openText} for JSON. @throws {UnreadableError} also if what a plugin has decoded is none. */
export async function openJson(codec: Codec | undefined, text: string): Promise<string> {
  return isSealed(text) ? checkedJson(await openText(codec, text)) : text;
}

/** Decodes what is shown to somebody. What can't be decoded here stays as it is, and is shown as such. */
export interface ShownTexts {
  text(text: string): Promise<string>;
  json(text: string): Promise<string>;
}

/** For callers, who wait for a moment. */
export function shownTexts(codec: Codec): ShownTexts {
  return textsWith(codec, { withinMs: SHOWN_WITHIN_MS, isLateShown: true });
}

/** For who can ask again, and tells others what it gets. @throws {PluginTimeoutError} by its methods, if a plugin takes too long. */
export function toldTexts(codec: Codec): ShownTexts {
  return textsWith(codec, { withinMs: NEEDED_WITHIN_MS, isLateShown: false });
}

function textsWith(
  codec: Codec,
  { withinMs, isLateShown }: { readonly withinMs: number; readonly isLateShown: boolean },
): ShownTexts {
  const shown = async (text: string, check: (decoded: string) => string) => {
    if (!isSealed(text)) return text;
    try {
      return check(await codec.open(text, { withinMs }));
    } catch (error) {
      if (error instanceof PluginTimeoutError && !isLateShown) throw error;
      return text;
    }
  };
  return { text: (text) => shown(text, (decoded) => decoded), json: (text) => shown(text, checkedJson) };
}

/** What is passed on as JSON, or parsed later, must be JSON, whatever a plugin makes of it. @throws {UnreadableError} */
function checkedJson(decoded: string): string {
  try {
    JSON.parse(revealed(decoded));
    return decoded;
  } catch (error) {
    throw new UnreadableError('A plugin has decoded a value to what is no JSON', { cause: error });
  }
}

function noPlugin(name: string): UnreadableError {
  return new UnreadableError(
    `The value was encoded by the plugin ${JSON.stringify(name)}, which is not among the plugins of this process`,
  );
}

function cannotDecode(name: string, why: string, cause?: unknown): UnreadableError {
  const message = `The plugin ${JSON.stringify(name)} can't decode the value: ${why}`;
  return new UnreadableError(message, cause === undefined ? undefined : { cause });
}
