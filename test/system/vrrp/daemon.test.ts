// SPDX-License-Identifier: MIT
// lab: --stock --uml=plain
// A running lvsd whose file has a virtual router, beside keepalived: states, lvsctl vrrp and yield, tracked services,
// reloads, stopping.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../../../lab/topology.ts';
import { type Conf, Lvsd } from '../lvsd/daemon.ts';
import { MODES, Pair } from './pair.ts';

const FAST = MODES.find(({ name }) => name === 'version 3, 100 ms') ?? assert.fail();
const pair = new Pair(FAST, 40);
const lvsd = new Lvsd(pair.lvsd.namespace, 'vrrp');

const conf = (change: object = {}): Conf => ({
  version: 1,
  services: { shop: { address: '10.9.0.100', port: 80, real_servers: ['10.9.0.77'] } },
  vrrp: {
    edge: {
      interface: 'eth0',
      virtual_router_id: 51,
      priority: 150,
      advert_interval: '100ms',
      addresses: ['10.9.0.100/32'],
      ...change,
    },
  },
});

const ctl = (...words: string[]) =>
  pair.lvsd.namespace.run(['lvsctl', '--socket', lvsd.socket, ...words], { accept: 'any' });
const holdsExtra = () =>
  / 10\.9\.0\.101\/32 scope link eth0:web\\/.test(pair.lvsd.namespace.run(['ip', '-o', 'addr']).stdout);

before(async () => {
  await pair.keepalived.start(100);
  await pair.settles(pair.keepalived);
});
after(async () => {
  await lvsd.stop();
  await pair.destroy();
});

test('lvsd takes over, and lvsctl vrrp shows it', async () => {
  await lvsd.start(conf());
  await pair.settles(pair.lvsd);
  await until('the state', () => /^edge {2}master for /m.test(ctl('vrrp').stdout), 20_000);
  assert.match(ctl('status').stdout, /^virtual router edge {2}master for .* \(no /m);
  const { status, stdout } = ctl('vrrp', 'edge', '--json');
  assert.equal(status, 0);
  const [edge] = JSON.parse(stdout).instances;
  assert.deepEqual(
    [edge.name, edge.state, edge.priority, edge.virtualRouterId, edge.addresses],
    ['edge', 'master', 150, 51, [{ address: '10.9.0.100', prefix: 32, device: 'eth0' }]],
  );
  assert.match(ctl('events').stdout, /vrrp\.state .*edge: is master: no /);
  const wrong = ctl('vrrp', 'shop');
  assert.equal(wrong.stderr, 'lvsctl: there is no VRRP instance shop: lvsctl vrrp lists the instances\n');
  assert.notEqual(wrong.status, 0);
});

test('a tracked service without its quorum lowers the priority, so that the other router has the address', async () => {
  lvsd.write(conf({ track: { services: [{ service: 'shop', weight: -60 }] } }));
  assert.equal(ctl('reload').status, 0);
  assert.match(ctl('vrrp').stdout, /priority 150,[\s\S]*tracks service shop up/);
  assert.equal(ctl('disable', '10.9.0.77:80').status, 0);
  await pair.settles(pair.keepalived);
  assert.match(ctl('vrrp').stdout, /priority 90 \(150, service shop -60\),[\s\S]*tracks service shop down/);
  assert.match(ctl('events').stdout, /vrrp\.priority .*priority 90: service shop has no quorum/);
  assert.equal(ctl('enable', '10.9.0.77:80').status, 0);
  await pair.settles(pair.lvsd);
  lvsd.write(conf());
  assert.equal(ctl('reload').status, 0);
});

test('a reload adds and removes addresses without a transition', async () => {
  const since = lvsd.log.length;
  lvsd.write(conf({ extra_addresses: [{ address: '10.9.0.101/32', label: 'eth0:web', scope: 'link' }] }));
  assert.equal(ctl('reload').status, 0);
  await until('the new address', holdsExtra);
  lvsd.write(conf());
  assert.equal(ctl('reload').status, 0);
  await until('its removal', () => !holdsExtra());
  assert.doesNotMatch(lvsd.log.slice(since), /edge is (backup|master|fault)/);
  assert.ok(pair.holds(pair.lvsd));
});

test('lvsctl announce repeats the announcement of a master, and refuses that of a backup', async () => {
  const announced = pair.switch.spawn([
    'tcpdump',
    '-Z',
    'root',
    '-l',
    '-n',
    '-i',
    'br0',
    'arp and arp[14:4] == 0x0a090064',
  ]);
  await until('tcpdump', () => announced.stderr().includes('listening on'), 60_000);
  assert.equal(ctl('announce', 'edge').stdout, 'edge: announced\n');
  await until('an announcement', () => /Request who-has 10\.9\.0\.100 .*tell 10\.9\.0\.100/.test(announced.stdout()));
  await announced.stop('SIGINT');
  assert.equal(ctl('yield', 'edge', '--for', '15s').status, 0);
  await pair.settles(pair.keepalived);
  const refused = ctl('announce', 'edge');
  assert.deepEqual(
    [refused.status, refused.stderr],
    [1, 'lvsctl: edge is backup: only a master announces addresses\n'],
  );
  await pair.settles(pair.lvsd);
});

test('after lvsctl yield the other router has the address', async () => {
  assert.equal(ctl('yield', 'edge', '--for', '15s').stdout, 'edge: yielded\n');
  await pair.settles(pair.keepalived);
  await pair.settles(pair.lvsd);
});

/** Waits until lvsd is master again. */
async function returns(): Promise<void> {
  if (!lvsd.running) await lvsd.start(conf());
  await pair.settles(pair.lvsd);
}
const vrrpProcess = () => Number(pair.lvsd.namespace.run(`pgrep -P ${lvsd.pid} -f vrrp.cjs`).stdout);
const withdraw = () =>
  pair.lvsd.namespace.run(['lvsd', 'withdraw', '--socket', lvsd.socket, '--state', lvsd.state], { accept: 'any' });

test('when the health worker is killed, tracked services stay as they were', async () => {
  const check = { type: 'exec', command: ['/bin/true'], interval: '5s', timeout: '4s' };
  const services = { web: { fwmark: 7, real_servers: [{ address: '10.9.0.1', check }] } };
  const worker = () => Number(pair.lvsd.namespace.run(`pgrep -P ${lvsd.pid} -f health.cjs`, { accept: 'any' }).stdout);
  await returns();
  lvsd.write({ ...conf({ track: { services: ['web'] } }), services });
  assert.equal(ctl('reload').status, 0);
  const since = lvsd.log.length;
  const pid = worker();
  process.kill(pid, 'SIGKILL');
  await until('another worker', () => worker() > 0 && worker() !== pid, 60_000);
  const [edge] = JSON.parse(ctl('vrrp', 'edge', '--json').stdout).instances;
  assert.deepEqual([edge.state, edge.priority], ['master', 150]);
  assert.doesNotMatch(lvsd.log.slice(since), /edge is (backup|fault)|priority/);
  assert.ok(pair.holds(pair.lvsd));
  lvsd.write(conf());
  assert.equal(ctl('reload').status, 0);
});

test('when lvsd alone is killed, its VRRP process gives the address away', async () => {
  await returns();
  await lvsd.kill();
  await pair.settles(pair.keepalived);
});

test('when both are killed, lvsd withdraw sends priority 0 and removes the address', async () => {
  await returns();
  const running = withdraw();
  assert.equal(running.status, 1);
  assert.match(running.stderr, /another lvsd is running/);
  // Stopped first: it would give the address away when lvsd ends.
  const pid = vrrpProcess();
  process.kill(pid, 'SIGSTOP');
  await lvsd.kill();
  process.kill(pid, 'SIGKILL');
  await until('both to have the address', () => pair.holds(pair.keepalived) && pair.holds(pair.lvsd));
  const endCapture = await pair.capture();
  const done = withdraw();
  assert.deepEqual([done.status, done.stderr], [0, '']);
  assert.equal(done.stdout, 'sent 1 advert of priority 0\naddresses of VRRP removed: 1\n');
  await pair.settles(pair.keepalived);
  const { stdout } = pair.lvsd.namespace.run([
    ...['tcpdump', '-Z', 'root'],
    '-n',
    '-r',
    await endCapture(),
    'src 10.9.0.1 and ip proto 112',
  ]);
  assert.match(stdout, /vrid 51, prio 0/);
  // Done once: another one has nothing to do.
  assert.deepEqual([withdraw().status, withdraw().stdout], [0, '']);
});

test('when both are killed, an lvsd whose file has no virtual router any more removes the address', async () => {
  await returns();
  const pid = vrrpProcess();
  process.kill(pid, 'SIGSTOP');
  await lvsd.kill();
  process.kill(pid, 'SIGKILL');
  await until('both to have the address', () => pair.holds(pair.keepalived) && pair.holds(pair.lvsd));
  await lvsd.start({ version: 1, services: {} });
  await pair.settles(pair.keepalived);
  const removed = /VRRP: addresses of a killed lvsd with virtual routers removed: 1/;
  await until('the log to say so', () => removed.test(lvsd.log));
  assert.equal(ctl('vrrp').stdout, 'no VRRP instances in the file\n');
  await lvsd.stop();
});

test('when lvsd stops, the address is gone and the other router has it', async () => {
  await returns();
  await lvsd.stop();
  await pair.settles(pair.keepalived);
});
