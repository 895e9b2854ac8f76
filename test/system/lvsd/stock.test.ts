// SPDX-License-Identifier: MIT
// lab: --stock
// also: --kernel 6.12
// lvsd on Debian's own ip_vs: everything that this kernel supports works, and missing features are named.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../../../lab/topology.ts';
import { Site } from './site.ts';

let site: Site;

before(() => {
  site = new Site({ name: 'stock' });
});
after(() => site?.close());

const plain = { address: '10.99.0.11', port: 80, device: 'vip0', real_servers: ['10.31.4.2', '10.31.5.2'] };

test('a fullnat service is rejected by name; the others are served, checked and repaired', async () => {
  const { lvsd } = site;
  await lvsd.start({
    version: 1,
    resync: '2s',
    defaults: { check: { type: 'tcp', interval: '500ms', timeout: '450ms', fall: 2 } },
    local_addresses: { inner: { device: 'in0', addresses: ['10.31.3.101'] } },
    services: {
      full: { ...plain, address: '10.99.0.12', forward: 'fullnat', local_addresses: 'inner' },
      plain,
    },
  });
  const { services } = await lvsd.status();
  const error = services.find(({ name }) => name === 'full')?.error ?? '';
  assert.match(error, /FULLNAT/i);
  assert.match(error, /lvsd|module/);
  assert.equal(services.find(({ name }) => name === 'plain')?.error, undefined);
  await lvsd.logs(/FULLNAT/i);
  assert.match(await site.get('http://10.99.0.11/'), /^rs[12]$/);
  const served = [
    '-A -t 10.99.0.11:80 -s wlc',
    '-a -t 10.99.0.11:80 -r 10.31.4.2:80 -m -w 1',
    '-a -t 10.99.0.11:80 -r 10.31.5.2:80 -m -w 1',
  ];
  assert.deepEqual(
    site.rules().filter((rule) => rule.includes('10.99.0.12')),
    [],
  );
  await lvsd.logs(/does not support FULLNAT, which is needed by full: load/);
  const rules = () => site.rules().filter((rule) => rule.includes('10.99.0.11'));
  assert.deepEqual(rules(), served);
  // The virtual address of the rejected service is not added.
  assert.deepEqual(
    site.addresses().filter((address) => /^10\.99\.|^10\.31\.3\.101/.test(address)),
    ['10.99.0.11/32 on vip0'],
  );
  await lvsd.logs(/local address 10\.31\.3\.101\/32 on in0: the running ip_vs does not support FULLNAT/);

  site.block('rs2', [80], 'reset');
  await until('rs2 to be out', () => rules().length === 2, 20_000);
  site.block('rs2', [], undefined);
  await until('rs2 to be back', () => rules().length === 3, 20_000);
  // This kernel sends no notification of changes, so lvsd finds them at its next resync.
  site.ipvsadm('-d -t 10.99.0.11:80 -r 10.31.5.2:80');
  await until('the repair', () => rules().length === 3, 20_000);
  await lvsd.logs(/real server 10\.31\.5\.2:80 of tcp 10\.99\.0\.11:80 was deleted/);

  await lvsd.reload({ version: 1, services: { plain } });
  const plan = await lvsd.run('lvsd', 'plan', ...lvsd.paths);
  assert.deepEqual([plan.status, plan.stdout], [0, 'no difference\n'], plan.stderr);
});

test('plan names it too, apply changes nothing, and both exit with 5', async () => {
  const { lvsd } = site;
  await lvsd.stop();
  lvsd.write({
    version: 1,
    local_addresses: { inner: { device: 'in0', addresses: ['10.31.3.101'] } },
    services: {
      full: { ...plain, port: 81, forward: 'fullnat', local_addresses: 'inner' },
      more: { ...plain, port: 82, forward: 'fullnat', local_addresses: 'inner' },
      plain: { ...plain, port: 83 },
    },
  });
  const before = [site.rules(), site.addresses()];
  const error = `the running ip_vs does not support FULLNAT, which is needed by full, more: load lvsd's ip_vs modules, see docs/kernel.md\n`;
  const plan = await lvsd.run('lvsd', 'plan', ...lvsd.paths);
  assert.deepEqual([plan.status, plan.stderr], [5, `lvsd: ${error}`]);
  const apply = await lvsd.run('lvsd', 'apply', ...lvsd.paths);
  assert.deepEqual([apply.status, apply.stderr], [5, `lvsd: nothing was changed: ${error}`]);
  assert.deepEqual([site.rules(), site.addresses()], before);
});
