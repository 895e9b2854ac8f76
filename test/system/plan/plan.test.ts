// SPDX-License-Identifier: MIT
// lab: --stock --uml=plain
// Plans on a stock kernel: random actual and desired tables, rejections, interference, drift, and ten thousand
// services.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { DestinationConfig } from '../../../src/ipvs/index.ts';
import { apply, describe, difference, drift } from '../../../src/plan/index.ts';
import type { Desired, DesiredAddress, DesiredService } from '../../../src/plan/types.ts';
import { Kernel, round } from './rounds.ts';

const ROUNDS = process.env.LVSD_COUNTS === 'full' ? 200 : 10;
let kernel: Kernel;

before(() => {
  kernel = new Kernel(false);
});
after(() => kernel.close());

test(`${ROUNDS} random tables are reconciled, as ipvsadm and ip show`, {
  timeout: 3_000_000,
}, async () => {
  for (let seed = 1; seed <= ROUNDS; seed++) await round(kernel, seed);
  // The last round may have left addresses of other programs, which would disturb the tests that follow.
  kernel.ip('address flush dev eth0');
});

const v4 = (...bytes: number[]) => Uint8Array.from(bytes);

function service(last: number, more: Partial<DesiredService> = {}): DesiredService {
  return {
    ...{ family: 2, protocol: 6, address: v4(192, 0, 2, last), port: 80, fwmark: 0, name: `s${last}` },
    ...{ scheduler: 'rr', flags: 0, timeout: 0, netmask: 0xffffffff, peName: '' },
    ...{ destinations: [server(1), server(2)], localAddresses: [], establishedTimeout: undefined },
    ...more,
  };
}

function server(last: number, more: Partial<DestinationConfig> = {}): DestinationConfig {
  return {
    ...{ family: 2, address: v4(10, 0, 0, last), port: 80, method: 0, weight: 1, upperThreshold: 0, lowerThreshold: 0 },
    ...{ tunnelType: 0, tunnelPort: 0, tunnelFlags: 0, ...more },
  };
}

function desiredTable(services: DesiredService[], addresses: DesiredAddress[] = []): Desired {
  return { services, addresses, timeouts: { tcp: 0, tcpFin: 0, udp: 0 } };
}

const virtual = (last: number): DesiredAddress => ({
  ...{ device: 'eth0', family: 2, address: v4(192, 0, 2, last), prefix: 32, purpose: 'virtual', name: `s${last}` },
});

/** Plans and applies the difference; returns each operation and its result, a line each. */
async function applyDifference(desired: Desired): Promise<string[]> {
  const plan = difference(desired, await kernel.read(), { all: true });
  const results = await apply(plan.operations, kernel);
  return results.map(({ operation, error }) => {
    const { sign, text } = describe(operation);
    return `${sign} ${text}: ${error instanceof Error ? error.message : (error ?? 'done')}`;
  });
}

const NO_FULLNAT = "the running ip_vs does not support FULLNAT: load lvsd's ip_vs modules, see docs/kernel.md";

test('a rejected or unsupported operation affects its service only; its address is not added', async () => {
  await applyDifference(desiredTable([]));
  const destinations = [server(1, { method: 5 })];
  const services = [
    service(1, { scheduler: 'nosuch' }),
    service(2),
    service(3, { destinations, localAddresses: [v4(10, 9, 0, 1)] }),
    service(4, { destinations: [server(1), server(2, { address: v4(224, 0, 0, 1) })] }),
    service(5, { establishedTimeout: 900 }),
  ];
  const first = await applyDifference(desiredTable(services, [1, 2, 3, 4].map(virtual)));
  const short = (line: string) => line.replace(/tcp 192\.0\.2\.(\d):80/, '$1');
  assert.deepEqual(first.map(short), [
    '+ 1 scheduler nosuch: the running kernel has no scheduler nosuch: try modprobe ip_vs_nosuch (ENOENT)',
    '+ 1 real server 10.0.0.1:80 forward masquerade, weight 1: skipped',
    '+ 1 real server 10.0.0.2:80 forward masquerade, weight 1: skipped',
    '+ 2 scheduler rr: done',
    '+ 2 real server 10.0.0.1:80 forward masquerade, weight 1: done',
    '+ 2 real server 10.0.0.2:80 forward masquerade, weight 1: done',
    // The service itself is not added either, since it would have no real server.
    `+ 3 scheduler rr: ${NO_FULLNAT}`,
    '+ 3 local address 10.9.0.1: skipped',
    '+ 3 real server 10.0.0.1:80 forward fullnat, weight 1: skipped',
    '+ 4 scheduler rr: done',
    '+ 4 real server 10.0.0.1:80 forward masquerade, weight 1: done',
    '+ 4 real server 224.0.0.1:80 forward masquerade, weight 1: 224.0.0.1 is not a unicast address (EINVAL)',
    '+ 5 scheduler rr, timeout of established connections 15m: the running ip_vs does not support timeouts.established of a service: remove it from the file',
    '+ 5 real server 10.0.0.1:80 forward masquerade, weight 1: skipped',
    '+ 5 real server 10.0.0.2:80 forward masquerade, weight 1: skipped',
    '+ virtual address 192.0.2.1/32 on eth0: skipped',
    '+ virtual address 192.0.2.2/32 on eth0: done',
    '+ virtual address 192.0.2.3/32 on eth0: skipped',
    '+ virtual address 192.0.2.4/32 on eth0: done',
  ]);
  const rules = kernel.saved();
  assert.ok(!rules.some((line) => line.includes('192.0.2.3:80')));
  const saved = rules.filter((line) => line.startsWith('-a'));
  assert.deepEqual(saved, [
    '-a -t 192.0.2.2:80 -r 10.0.0.1:80 -m -w 1',
    '-a -t 192.0.2.2:80 -r 10.0.0.2:80 -m -w 1',
    '-a -t 192.0.2.4:80 -r 10.0.0.1:80 -m -w 1',
  ]);
});

test('a real server is not removed if the kernel rejects its replacement', async () => {
  await applyDifference(desiredTable([service(1)]));
  const refused = server(9, { address: v4(224, 0, 0, 1) });
  const lines = await applyDifference(desiredTable([service(1, { destinations: [refused] })]));
  assert.deepEqual(
    lines.map((line) => line.replace(/.*: /, '')),
    ['224.0.0.1 is not a unicast address (EINVAL)', 'skipped', 'skipped'],
  );
  assert.equal(kernel.saved().filter((line) => line.startsWith('-a')).length, 2);
});

test('ipvsadm changes the table between reading and applying: the result is as desired', async () => {
  await applyDifference(desiredTable([]));
  const desired = desiredTable([service(1), service(2, { scheduler: 'wrr' }), service(3)]);
  kernel.run('ipvsadm', ['-A', '-t', '192.0.2.3:80', '-s', 'rr']);
  kernel.run('ipvsadm', ['-a', '-t', '192.0.2.3:80', '-r', '10.0.0.1', '-m', '-w', '7']);
  const plan = difference(desired, await kernel.read(), { all: true });
  kernel.run('ipvsadm', ['-A', '-t', '192.0.2.2:80', '-s', 'lc']);
  kernel.run('ipvsadm', ['-a', '-t', '192.0.2.2:80', '-r', '10.0.0.2', '-m', '-w', '5']);
  kernel.run('ipvsadm', ['-d', '-t', '192.0.2.3:80', '-r', '10.0.0.1']);
  for (const { operation, error } of await apply(plan.operations, kernel)) assert.equal(error, undefined, operation.op);
  assert.deepEqual(difference(desired, await kernel.read(), { all: true }).operations, []);
});

test('drift is described', async () => {
  await applyDifference(desiredTable([]));
  await applyDifference(desiredTable([service(1), service(2), service(3)], [virtual(1), virtual(2)]));
  const before = await kernel.read();
  kernel.run('ipvsadm', ['-D', '-t', '192.0.2.1:80']);
  kernel.run('ipvsadm', ['-e', '-t', '192.0.2.2:80', '-r', '10.0.0.1', '-m', '-w', '5']);
  kernel.run('ipvsadm', ['-d', '-t', '192.0.2.2:80', '-r', '10.0.0.2']);
  kernel.run('ipvsadm', ['-E', '-t', '192.0.2.3:80', '-s', 'wrr', '-p', '60']);
  kernel.run('ipvsadm', ['-a', '-t', '192.0.2.3:80', '-r', '10.0.0.7', '-i']);
  kernel.ip('address del 192.0.2.1/32 dev eth0', 'address add 192.0.2.99/32 dev eth0');
  assert.deepEqual(
    drift(before, await kernel.read())
      .map(({ text }) => text)
      .sort(),
    [
      'address 192.0.2.1/32 on eth0 was deleted',
      'persistence of tcp 192.0.2.3:80 is 1m, not none',
      'real server 10.0.0.2:80 of tcp 192.0.2.2:80 was deleted',
      'real server 10.0.0.7:80 of tcp 192.0.2.3:80 was added',
      'scheduler of tcp 192.0.2.3:80 is wrr, not rr',
      'tcp 192.0.2.1:80 was deleted',
      'weight of real server 10.0.0.1:80 of tcp 192.0.2.2:80 is 5, not 1',
    ],
  );
  kernel.run('ipvsadm', ['-C']);
  assert.deepEqual(
    drift(before, { ...(await kernel.read()), addresses: before.addresses }).map(({ text }) => text),
    ['the whole table was cleared: 3 services were deleted'],
  );
  kernel.ip('address flush dev eth0');
});

const MANY = process.env.LVSD_COUNTS === 'full' ? 10_000 : 1000;

test(`${MANY} services of 4 real servers, are written, read and changed`, { timeout: 600_000 }, async (t) => {
  await applyDifference(desiredTable([]));
  const destinations = [1, 2, 3, 4].map((last) => server(last));
  const all = Array.from({ length: MANY }, (_, index) =>
    service(1, { address: v4(198, 18, index >> 8, index & 255), name: `s${index}`, destinations }),
  );
  const timed = async <T>(what: string, act: () => T | Promise<T>): Promise<T> => {
    const start = performance.now();
    const result = await act();
    t.diagnostic(`${what}: ${Math.round(performance.now() - start)} ms`);
    return result;
  };
  const empty = await kernel.read();
  const plan = await timed('difference to nothing', () => difference(desiredTable(all), empty, { all: true }));
  assert.equal(plan.operations.length, 5 * MANY);
  const results = await timed('apply', () => apply(plan.operations, kernel));
  assert.ok(results.every(({ error }) => error === undefined));
  const actual = await timed('read', () => kernel.read());
  const changed = all.map((one, index) =>
    index === 7 ? { ...one, destinations: [server(1, { weight: 2 }), ...destinations.slice(1)] } : one,
  );
  const one = await timed('difference of one weight', () => difference(desiredTable(changed), actual, { all: true }));
  assert.deepEqual(
    one.operations.map((operation) => describe(operation).text),
    ['tcp 198.18.0.7:80 real server 10.0.0.1:80 weight 1 → 2'],
  );
  await timed('apply of it', () => apply(one.operations, kernel));
  const removal = difference(desiredTable([]), await kernel.read(), { all: true });
  await timed('deletion', () => apply(removal.operations, kernel));
  assert.deepEqual(kernel.saved(), []);
});
