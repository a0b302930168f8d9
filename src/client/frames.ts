/** A part of an event stream: an event, or an id without one. */
export interface Frame {
  readonly id: string | undefined;
  /** Undefined for a frame that only sets the id. */
  readonly data: string | undefined;
}

/**
 * Reads the frames of an event stream from its pieces
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation). A frame that a broken
 * connection cut off is left out. Parsers that are on npm drop the id of a frame without data, and `/runs/subscribe`
 * begins with such a frame.
 */
export class FrameReader {
  readonly #decoder = new TextDecoder();
  /** The beginning of a line, in pieces: a long one is not joined anew with each of them. */
  #rest: string[] = [];
  #endsWithCr = false;
  #id: string | undefined;
  #data: string[] = [];

  /** The frames that are complete with this piece. */
  read(piece: Uint8Array): Frame[] {
    const text = this.#decoder.decode(piece, { stream: true });
    this.#rest.push(text);
    if (!/[\r\n]/.test(text) && !this.#endsWithCr) return [];
    this.#endsWithCr = text.endsWith('\r');
    // A CR at the end may be the first half of CRLF.
    const lines = this.#rest.join('').split(/\r\n|\n|\r(?!$)/);
    this.#rest = [lines.pop() ?? ''];
    return lines.flatMap((line) => this.#take(line));
  }

  #take(line: string): Frame[] {
    if (line === '') return this.#dispatch();
    const [, field, value = ''] = /^([^:]*)(?:: ?([\s\S]*))?$/.exec(line) ?? [];
    if (field === 'data') this.#data.push(value);
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    return [];
  }

  #dispatch(): Frame[] {
    const frame = { id: this.#id, data: this.#data.length > 0 ? this.#data.join('\n') : undefined };
    this.#id = undefined;
    this.#data = [];
    return frame.id === undefined && frame.data === undefined ? [] : [frame];
  }
}
