import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** Global unicast. What stands for an IPv4 address elsewhere (mapped, NAT64, compatible) is outside of it. */
const GLOBAL_IPV6: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('2000::'), 3];

/**
 * Whether an address belongs to the public internet. False for loopback, private, link-local, shared, multicast, reserved and
 * documentation addresses, for IPv6 that stands for IPv4, and for a text that is no address.
 */
export function isPublicAddress(address: string): boolean {
  // The library also takes short forms, which mean something else to each system.
  if (isIP(address) === 0) return false;
  const parsed = ipaddr.parse(address);
  // `unicast` is what is left after all ranges with a meaning of their own.
  if (parsed.range() !== 'unicast') return false;
  return parsed instanceof ipaddr.IPv4 || parsed.match(GLOBAL_IPV6);
}

/** The address that a URL's host is. Undefined for a name. Other spellings, such as 0x7f.1, `URL` has converted before. */
export function literalAddress(hostname: string): string | undefined {
  const bare = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  return isIP(bare) === 0 ? undefined : bare;
}
