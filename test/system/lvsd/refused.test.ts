// SPDX-License-Identifier: MIT
// lab: --uml
// What lvsd refuses, and what the kernel refuses lvsd: a second daemon in the network namespace, whatever its socket, and
// a pool of local addresses on a missing device.
import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import type { Conf } from './daemon.ts';
import { Site } from './site.ts';

const site = new Site({ name: 'refused' });
const { lvsd } = site;
afterEach(async () => {
  await lvsd.stop();
  site.clear();
});
after(() => site.close());

const shop = {
  ...{ address: '10.99.0.11', port: 80, device: 'vip0', scheduler: 'rr' },
  real_servers: ['10.31.4.2', '10.31.5.2'],
};

test('one lvsd a network namespace: another one, and withdraw, change nothing, whatever their socket and state', async () => {
  await lvsd.start({ version: 1, services: { shop } });
  const elsewhere = ['--socket', '/run/other/control.sock', '--state', '/run/second'];
  for (const words of [['run', '-f', lvsd.file], ['withdraw'], ['apply', '-f', lvsd.file]]) {
    const other = await lvsd.run('lvsd', ...words, ...elsewhere);
    assert.equal(other.status, 1, other.stderr);
    assert.match(other.stderr, /another lvsd is running in this network namespace \(pid \d+\)/);
    assert.doesNotMatch(other.stderr, /\n +at /);
  }
  assert.equal((await lvsd.client.call('ping', {})).pid, lvsd.pid);
  // The lock ends with its process.
  await lvsd.kill();
  await lvsd.start();
});

test('a pool on a missing device: neither its addresses in the table nor the virtual address on its device', async () => {
  const full = (device: string): Conf => ({
    version: 1,
    local_addresses: { inner: { device, addresses: ['10.31.3.101-10.31.3.102'] } },
    services: { shop: { ...shop, forward: 'fullnat', local_addresses: 'inner' } },
  });
  await lvsd.start(full('in9'));
  await lvsd.logs(/10\.31\.3\.101\/32 on in9: .*; and 1 more; attempt 2, next one in 2 s/);
  assert.ok(!site.addresses().includes('10.99.0.11/32 on vip0'));
  assert.doesNotMatch(site.lvs.balancer.run('lvsadm -G').stdout, /10\.31\.3\./);
  const { services, failures } = await lvsd.status();
  assert.match(services[0]?.error ?? '', /^local_addresses\.inner: local address 10\.31\.3\.101\/32 on in9: /);
  assert.deepEqual(
    failures?.map(({ of, name, changes }) => [of, name, changes.length]),
    [['pool', 'inner', 2]],
  );
  await lvsd.reload(full('in0'));
  assert.match(await site.get('http://10.99.0.11/'), /^rs[12]$/);
  assert.deepEqual((await lvsd.status()).failures, []);
});
