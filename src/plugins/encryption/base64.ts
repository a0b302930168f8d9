/** So many bytes at once, because each becomes an argument of a call. A multiple of three. */
const PART_BYTES = 24_576;

/** Works the same on Node and on Workers. */
export function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += PART_BYTES) {
    text += btoa(String.fromCharCode(...bytes.subarray(at, at + PART_BYTES)));
  }
  return text;
}

export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}
