#!/usr/bin/env node
// Replaces curl, which may not be installed. Supports what the documentation's examples use.
const IGNORED = ['-N', '--silent', '--show-error', '--fail', '--retry-connrefused'];
const options = { method: 'GET', headers: {}, showsHead: false };
const args = process.argv.slice(2);
while (args.length > 0) {
  const arg = args.shift();
  if (arg === '-X') options.method = args.shift();
  else if (arg === '--retry') args.shift();
  else if (arg === '-d') options.body = args.shift();
  else if (arg === '-i') options.showsHead = true;
  else if (arg === '-H') {
    const [name, value] = args.shift().split(/: (.*)/s);
    options.headers[name] = value;
  } else if (!IGNORED.includes(arg)) {
    if (arg.startsWith('-')) throw new Error(`this stand-in for curl does not know ${arg}`);
    options.url = arg;
  }
}
const { url, method, headers, body } = options;
const response = await fetch(url, { method, headers, body });
if (options.showsHead) {
  const lines = [...response.headers].map(([name, value]) => `${name}: ${value}\n`);
  process.stdout.write(`HTTP/1.1 ${response.status} ${response.statusText}\n${lines.join('')}\n`);
}
for await (const part of response.body ?? []) process.stdout.write(part);
