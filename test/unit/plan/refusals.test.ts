// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EXIT, KernelLacksError, NetlinkError, RefusedError } from '../../../src/base/errors.ts';
import { explained } from '../../../src/plan/refusals.ts';
import type { Operation } from '../../../src/plan/types.ts';
import { onDevice, server, service } from './states.ts';

const shop = service('shop', '10.99.0.10:443', { scheduler: 'wlx' });
const add = (at: string, more = {}): Operation => ({
  ...{ op: 'add-destination', service: shop, name: 'shop', destination: server(at, more) },
});

for (const [operation, errno, message] of [
  [{ op: 'add-service', service: shop }, 2, 'the running kernel has no scheduler wlx: try modprobe ip_vs_wlx (ENOENT)'],
  [
    { op: 'add-service', service: { ...shop, peName: 'sip' } },
    ...([
      2,
      'the running kernel has no scheduler wlx or persistence engine sip: try modprobe ip_vs_wlx and ip_vs_pe_sip (ENOENT)',
    ] as const),
  ],
  [
    { op: 'add-service', service: shop },
    97,
    'this kernel was built without IPv6 support in IPVS (CONFIG_IP_VS_IPV6) (EAFNOSUPPORT)',
  ],
  [add('224.0.0.1:80'), 22, '224.0.0.1 is not a unicast address (EINVAL)'],
  [add('[2001:db8::1]:80'), 22, 'a real server of another family than its service needs a tunnel (EINVAL)'],
  [
    add('[2001:db8::1]:80', { method: 2 }),
    ...([
      22,
      'a real server of another family than its service is not supported while connections are synchronised (EINVAL)',
    ] as const),
  ],
  [add('10.0.0.1:80', { method: 2, tunnelType: 1 }), 22, 'a GUE tunnel needs a port (EINVAL)'],
  [add('10.0.0.1:80'), 34, 'negative weight, or lower threshold above the upper one (ERANGE)'],
  [add('10.0.0.1:80'), 3, 'another program has deleted the service (ESRCH)'],
  [
    { op: 'add-address', address: onDevice('2001:db8::1', 'eth0'), name: 'shop' },
    13,
    'IPv6 is disabled on eth0: sysctl net.ipv6.conf.eth0.disable_ipv6 (EACCES)',
  ],
  [add('10.0.0.1:80'), 12, 'not enough memory (ENOMEM)'],
] as const satisfies [Operation, number, string][])
  test(message, () => {
    assert.equal(explained(operation, new NetlinkError(errno)).message, message);
  });

test('the kernel’s own words come first, the cause and the exit code stay', () => {
  const cause = new NetlinkError(22, { message: 'FULLNAT supports TCP services only' });
  const error = explained(add('10.0.0.1:80'), cause);
  assert.ok(error instanceof RefusedError);
  assert.equal(error.message, 'FULLNAT supports TCP services only (EINVAL)');
  assert.deepEqual([error.cause, error.code], [cause, 'ERR_LVSD_REFUSED']);
  const refused = explained(add('10.0.0.1:80'), new NetlinkError(1));
  assert.ok(refused instanceof NetlinkError && refused.exitCode === EXIT.NOT_PERMITTED);
  const lacks = new KernelLacksError('FULLNAT', 'no FULLNAT');
  assert.equal(explained(add('10.0.0.1:80'), lacks), lacks);
});
