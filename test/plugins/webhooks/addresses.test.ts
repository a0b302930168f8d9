import { expect, test } from 'vitest';
import { isPublicAddress } from '../../../src/plugins/webhooks/addresses.ts';
import { PrivateAddressError, post, type ResolveHost } from '../../../src/plugins/webhooks/post.ts';
import { AllowedHosts, parseHost, parseTarget } from '../../../src/plugins/webhooks/target.ts';
import { receiver } from '../../support/net/receiver.ts';
import { rejectionOf } from '../../support/runs.ts';

const NOT_PUBLIC = [
  ...['0.0.0.0', '0.1.2.3', '10.0.0.1', '100.64.0.1', '100.127.255.255', '127.0.0.1', '127.255.255.254'],
  ...['169.254.169.254', '172.16.0.1', '172.31.255.255', '192.0.0.1', '192.0.2.1', '192.88.99.1'],
  ...['192.168.0.1', '198.18.0.1', '198.19.255.255', '198.51.100.1', '203.0.113.1', '224.0.0.1'],
  ...['239.255.255.255', '240.0.0.1', '255.255.255.255'],
  ...[
    '::',
    '::1',
    '::127.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '::ffff:0:127.0.0.1',
    '64:ff9b::7f00:1',
  ],
  ...['64:ff9b::808:808', '64:ff9b:1::1', '100::1', '2001::1', '2001:db8::1', '2001:10::1', '2001:20::1'],
  ...[
    '2002:7f00:1::',
    '2002:808:808::1',
    'fc00::1',
    'fd00:ec2::254',
    'fe80::1',
    'fec0::1',
    'ff02::1',
    '5f00::1',
  ],
  ...['3fff::1', '2001:2::1'],
];

test.each(NOT_PUBLIC)('%s is not public', (address) => {
  expect(isPublicAddress(address)).toBe(false);
});

test.each([
  '1.1.1.1',
  '8.8.8.8',
  '100.63.255.255',
  '172.32.0.1',
  '198.20.0.1',
  '2606:4700::1111',
  '2a00:1450::1',
])('%s is public', (address) => {
  expect(isPublicAddress(address)).toBe(true);
});

test.each(['', 'example.com', '1.2.3', 'fe80::1%eth0', '1.1.1.1/8'])('"%s" is no public address', (text) => {
  expect(isPublicAddress(text)).toBe(false);
});

const NOBODY = new AllowedHosts([]);

test.each([
  'http://2130706433/',
  'http://0x7f.1/',
  'http://0177.0.0.1/',
  'http://127.1/',
  'http://127.0.0.1./',
  'http://１２７.0.0.1/',
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:7f00:1]/',
  'http://[0:0:0:0:0:0:0:1]:8080/',
  'http://0/',
  'http://localhost/',
  'http://LOCALHOST./',
  'http://metadata.localhost/',
  'https://169.254.169.254/latest/meta-data',
])('%s is refused before anything is asked', (url) => {
  expect(parseTarget(url, NOBODY)).toMatchObject({
    ok: false,
    fault: `must have a public address, or a host that is allowed by name, not "${new URL(url).host}"`,
  });
});

test('a host is allowed by its name or address, at all of its ports or at one', () => {
  const allowed = new AllowedHosts(
    ['hooks.internal', '10.0.0.7:8080', '[::1]:80', 'LocalHost:443'].map((each) => parseHost(each) ?? ''),
  );
  const isAllowed = (url: string) => allowed.has(new URL(url));
  expect(isAllowed('http://hooks.internal:1234/')).toBe(true);
  expect(isAllowed('http://10.0.0.7:8080/')).toBe(true);
  expect(isAllowed('http://10.0.0.7/')).toBe(false);
  expect(isAllowed('http://[::1]/')).toBe(true);
  expect(isAllowed('https://[::1]/')).toBe(false);
  expect(isAllowed('https://localhost/')).toBe(true);
  expect(isAllowed('https://sub.hooks.internal/')).toBe(false);
  for (const bad of ['', 'http://x', 'a/b', 'a b', 'me@x', '*.x', 'x:99999', 7])
    expect(parseHost(bad)).toBeUndefined();
});

const request = { headers: {}, body: '{}', signal: new AbortController().signal };

test.each([
  [['127.0.0.1']],
  [['93.184.216.34', '127.0.0.1']],
  [['::1']],
  [['::ffff:10.0.0.1']],
  [['64:ff9b::7f00:1']],
])('a name that resolves to %j is not connected to', async (addresses) => {
  const { received, host } = await receiver();
  const resolveHost: ResolveHost = async () =>
    addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  const url = new URL(`http://rebind.example:${host.split(':')[1]}/`);
  const error = await rejectionOf(post({ ...request, url, isAllowed: false }, resolveHost));
  expect(error).toBeInstanceOf(PrivateAddressError);
  expect(received).toEqual([]);
});

test('the connection is made to the address that was checked: the name is resolved once', async () => {
  const { received, host } = await receiver();
  const answers = [[{ address: '127.0.0.1', family: 4 }], [{ address: '203.0.113.1', family: 4 }]];
  const asked: string[] = [];
  const resolveHost: ResolveHost = async (name) => {
    asked.push(name);
    return answers[asked.length - 1] ?? [];
  };
  const url = new URL(`http://rebind.example:${host.split(':')[1]}/`);
  expect(await post({ ...request, url, isAllowed: true }, resolveHost)).toMatchObject({ status: 204 });
  expect(asked).toEqual(['rebind.example']);
  expect(received[0]?.headers.host).toBe(url.host);
});

test('a name without an address fails', async () => {
  const url = new URL('http://nothing.example/');
  await expect(post({ ...request, url, isAllowed: false }, async () => [])).rejects.toThrow('no address');
});
