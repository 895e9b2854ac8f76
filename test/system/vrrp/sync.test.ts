// SPDX-License-Identifier: MIT
// lab: --stock --uml=plain
// connection_sync: the kernel's sync daemons follow the virtual router, are repaired, and carry connections to the
// backup. The listings are those of Debian's ipvsadm.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../../../lab/topology.ts';
import { eventually } from '../lvsd/daemon.ts';
import { type Balancer, Balancers, REAL_SERVER, VIRTUAL } from './balancers.ts';

let site: Balancers;

/** 'backup', 'master', both or none, as stock ipvsadm lists them. */
const roles = ({ namespace }: Balancer): string =>
  [...namespace.run('ipvsadm -l --daemon').stdout.matchAll(/^(master|backup) sync daemon \(mcast=eth1, syncid=51\b/gm)]
    .map(([, role]) => role)
    .sort()
    .join(' ');

/** Waits for the roles of the master of the virtual router and of the other one. */
async function follows(master: Balancer, backup: Balancer): Promise<void> {
  await site.settles(master);
  await until('the sync daemons', () => roles(master) === 'backup master' && roles(backup) === 'backup', 20_000);
}

before(async () => {
  site = new Balancers('sync');
  await site.start('nat');
});
after(() => site.destroy());

test('a backup runs on both, a master on the master; status says so', async () => {
  const { first, second } = site;
  await follows(first, second);
  const status = await first.lvsd.status();
  assert.deepEqual(status.connectionSync, {
    ...{ device: 'eth1', id: 51, follow: 'edge' },
    ...{ wanted: ['backup', 'master'], running: ['backup', 'master'] },
  });
  const { stdout } = await second.lvsd.ctl('status');
  assert.match(stdout, /^connection sync on eth1, id 51: backup \(follows edge\)$/m);
  assert.deepEqual(await second.lvsd.plan(), []);
});

test('a connection through the master is in the table of the backup', async () => {
  const { client, second } = site;
  const download = client.spawn(['curl', '-s', '-o', '/dev/null', `http://${VIRTUAL}/body?rate=32k`]);
  const table = () => second.namespace.run('ipvsadm -Lnc').stdout;
  const line = new RegExp(`^TCP .* ESTABLISHED 10\\.9\\.0\\.9:\\d+ +${VIRTUAL}:80 +${REAL_SERVER}:80$`, 'm');
  await until('the connection', () => line.test(table()), 30_000).catch((error: Error) => {
    throw new Error(`${error.message}\n${table()}`);
  });
  await download.stop();
});

test('daemons that another program stops or starts are put right, as drift', async () => {
  const { first, second } = site;
  second.namespace.run('ipvsadm --stop-daemon backup');
  second.namespace.run('ipvsadm --start-daemon master --mcast-interface eth0 --syncid 7');
  await follows(first, second);
  const drift = await eventually('the events', async () => {
    const texts = (await second.lvsd.events()).filter(({ kind }) => kind === 'table.drift').map(({ text }) => text);
    return texts.length >= 2 && texts;
  });
  assert.deepEqual(drift, [
    'connection sync as backup on eth1, id 51 was stopped',
    'connection sync as master on eth0, id 7 was started',
  ]);
});

test('the roles change with the virtual router, and when its process dies', async () => {
  const { first, second } = site;
  assert.equal((await first.lvsd.ctl('yield', 'edge', '--for', '8s')).status, 0);
  await follows(second, first);
  await follows(first, second);
  const [pid] = first.namespace.run(`pgrep -P ${first.lvsd.pid} -f vrrp.cjs`).stdout.trim().split('\n');
  first.namespace.run(`kill -9 ${pid}`);
  await until('the master to stop', () => roles(first) === 'backup', 20_000);
  await follows(first, second);
});

test('another device is used after a reload; without the key the daemons that lvsd started are stopped', async () => {
  const { first, second } = site;
  const { connection_sync, ...without } = site.conf(second, 'nat');
  assert.ok(connection_sync);
  await second.lvsd.reload({ ...without, connection_sync: { device: 'eth0', id: 51 } });
  assert.match(
    second.namespace.run('ipvsadm -l --daemon').stdout,
    /^master sync daemon \(mcast=eth0, syncid=51.*\nbackup sync daemon \(mcast=eth0, syncid=51/m,
  );
  await second.lvsd.reload(without);
  assert.equal(second.namespace.run('ipvsadm -l --daemon').stdout, '');
  await second.lvsd.reload(site.conf(second, 'nat'));
  await follows(first, second);
});

test('on_stop: keep leaves the backup, without the role of a master; remove leaves nothing', async () => {
  const { first, second } = site;
  await first.lvsd.stop();
  assert.equal(roles(first), 'backup');
  await site.settles(second);
  await second.lvsd.reload(site.conf(second, 'nat', { on_stop: 'remove' }));
  await second.lvsd.stop();
  assert.equal(roles(second), '');
});
