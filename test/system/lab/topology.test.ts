// SPDX-License-Identifier: MIT
// lab: --stock
// The topology library on a real kernel: addresses and routes are as documented, and nothing is left afterwards.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import {
  CommandError,
  type LvsTopology,
  lvsTopology,
  type Nginx,
  startNginx,
  Topology,
  until,
} from '../../../lab/topology.ts';

/** In the child process of the last test: dies with a namespace in which a program runs. */
const crashIn = process.env.LVSD_CRASH_IN;
if (crashIn !== undefined) {
  new Topology().namespace(crashIn).run('sleep 1000 </dev/null >/dev/null 2>&1 &');
  process.kill(process.pid, 'SIGKILL');
}

const text = (command: string, ...args: string[]) => spawnSync(command, args, { encoding: 'utf8' }).stdout;

let lvs: LvsTopology;
let nginx: Nginx;
before(() => {
  lvs = lvsTopology();
  nginx = startNginx(lvs.rs1);
});
after(async () => {
  await lvs.destroy();
  assert.equal(text('ip', 'netns', 'list'), '', 'namespaces are left');
  assert.equal(spawnSync('pidof', ['nginx']).status, 1, 'nginx is left');
});

test('the client reaches the virtual address', () => {
  lvs.client.run(['ping', '-c1', '-W5', lvs.vip]);
});

test('the balancer reaches both real servers, from each local address', () => {
  for (const laddr of lvs.laddrs) {
    for (const rs of [lvs.rs1Address, lvs.rs2Address]) lvs.balancer.run(['ping', '-c1', '-W5', '-I', laddr, rs]);
  }
});

test('a real server has no route to the client', () => {
  const { status, stderr } = lvs.rs1.run(['ip', 'route', 'get', lvs.clientAddress], { accept: 'any' });
  assert.notEqual(status, 0);
  assert.match(stderr, /unreachable/i);
});

test("nginx answers with its namespace's name and logs the peer's address and port", () => {
  const got = lvs.balancer.run(['curl', '-s', '--local-port', '23456', `http://${lvs.rs1Address}/`]);
  assert.equal(got.stdout, 'rs1\n');
  const [entry] = nginx.log();
  assert.deepEqual(
    { address: entry?.address, port: entry?.port, status: entry?.status },
    { address: '10.31.3.2', port: 23456, status: 200 },
  );
});

test('programs run concurrently, and a failing one reports its status and output', async () => {
  // Each waits for the other: run one after the other, they would wait until their time-out.
  const meet = (mine: string, other: string) => `touch /run/${mine}; until [ -e /run/${other} ]; do sleep 0.1; done`;
  await Promise.all([lvs.client.exec(meet('a', 'b')), lvs.rs1.exec(meet('b', 'a'))]);
  await assert.rejects(lvs.client.exec('echo no >&2; exit 3'), (error: unknown) => {
    assert.ok(error instanceof CommandError);
    assert.equal(error.result.status, 3);
    assert.equal(error.result.stderr, 'no\n');
    return true;
  });
  assert.throws(() => lvs.client.run('exit 4'), CommandError);
  assert.equal(lvs.client.run('exit 4', { accept: [4] }).status, 4);
});

test('a time-out ends a program, and stop() a spawned one', async () => {
  assert.equal(lvs.client.run(['sleep', '100'], { timeout: 300, accept: 'any' }).status, 124);
  const running = lvs.client.spawn('echo here; exec sleep 100');
  await until('its output', () => running.stdout() === 'here\n');
  await running.stop();
  assert.notEqual(running.child.exitCode ?? running.child.signalCode, null);
});

test('sysctls, MTU, offloads and netem belong to the namespace that they are set in', () => {
  lvs.rs2.sysctl({ 'net.ipv4.tcp_timestamps': 0 });
  assert.equal(lvs.rs2.readSysctl('net.ipv4.tcp_timestamps'), '0');
  assert.equal(lvs.rs1.readSysctl('net.ipv4.tcp_timestamps'), '1');
  lvs.rs2.mtu('eth0', 1400);
  assert.match(lvs.rs2.run(['ip', 'link', 'show', 'eth0']).stdout, /mtu 1400/);
  lvs.rs2.offloads('eth0', { gro: true, tso: false });
  const settings = lvs.rs2.run(['ethtool', '-k', 'eth0']).stdout;
  assert.match(settings, /generic-receive-offload: on/);
  assert.match(settings, /tcp-segmentation-offload: off/);
  lvs.client.netem('eth0', 'delay 200ms');
  const { stdout } = lvs.client.run(['ping', '-c1', '-W5', '10.1.0.1']);
  assert.ok(Number(/time=([0-9.]+)/.exec(stdout)?.[1]) >= 200, stdout);
  lvs.client.netem('eth0', undefined);
});

test('devices of one namespace can share a bridge, in IPv4 and IPv6', async () => {
  const network = new Topology();
  const [hub, a, b] = ['hub', 'a', 'b'].map((name) => network.namespace(name));
  assert.ok(hub && a && b);
  network.link({ in: hub, device: 'p0' }, { in: a, device: 'eth0', addresses: ['10.9.0.1/24', '2001:db8:9::1/64'] });
  network.link({ in: hub, device: 'p1' }, { in: b, device: 'eth0', addresses: ['10.9.0.2/24', '2001:db8:9::2/64'] });
  network.bridge(hub, 'br0', ['p0', 'p1']);
  a.run(['ping', '-c1', '-W5', '10.9.0.2']);
  a.run(['ping', '-c1', '-W5', '2001:db8:9::2']);
  await network.destroy();
});

test('a namespace makes way for a new one if its process has died, and only then', async () => {
  const env = { ...process.env, LVSD_CRASH_IN: 'crashed' };
  assert.equal(spawnSync(process.execPath, [process.argv[1] ?? ''], { env }).signal, 'SIGKILL');
  const [left] = text('ip', 'netns', 'pids', 'crashed').split('\n');
  assert.notEqual(left, '');
  const network = new Topology();
  network.namespace('crashed').ip('link add left type dummy');
  assert.equal(text('ip', 'netns', 'pids', 'crashed'), '');
  assert.throws(() => new Topology().namespace('crashed'), /File exists/);
  await network.destroy();
});
