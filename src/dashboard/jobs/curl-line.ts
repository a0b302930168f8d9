/** The command that triggers the same run from a shell. The key is named, not shown. */
export function curlLine({
  url,
  hasKey,
  body,
}: {
  readonly url: string;
  readonly hasKey: boolean;
  readonly body: unknown;
}): string {
  const header = hasKey ? ` -H "Authorization: Bearer $DURABLY_API_KEY"` : '';
  return `curl -X POST ${quoted(`${url}/trigger`)}${header} -d ${quoted(JSON.stringify(body))}`;
}

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;
