// SPDX-License-Identifier: MIT
// FULLNAT with net.ipv4.vs.conntrack=1 and a firewall that drops packets in conntrack's state invalid.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { type Nginx, startNginx } from '../../../lab/topology.ts';
import { destConfig, fullnatRig, ip4, type Rig, run, setVs } from './rig.ts';
import { closeAll, closed, dial, listen, readAll } from './tcp.ts';
import { eventually } from './wire.ts';

const port = 80;
const closing = 81;
/** Connections that stay open, and a service without local addresses. */
const held = 82;
const empty = 83;
const bytes = 5 << 20;
let rig: Rig;
let nginx: Nginx;
const heldErrors: string[] = [];

before(async () => {
  rig = await fullnatRig({ port });
  run('modprobe', '-a', 'nf_conntrack', 'nf_conntrack_netlink', 'nft_ct');
  const chain = (name: string, hook: string) =>
    `chain ${name} {\ntype filter hook ${hook} priority 10;\nct state invalid counter drop\n}\n`;
  const chains = ['input', 'output', 'forward'].map((hook) => chain(hook, hook)).join('');
  rig.balancer.run(['nft', '-f', '-'], { input: `table ip guard {\n${chains}}\n` });
  setVs(rig.balancer, { conntrack: 1 });
  nginx = startNginx(rig.rs1);
  writeFileSync(`${nginx.root}/big`, Buffer.alloc(bytes, 'b'));
  await listen(rig.rs1, closing, (socket) => socket.end(`${socket.remoteAddress}:${socket.remotePort}`));
  await listen(rig.rs1, held, (socket) => {
    socket.on('data', (data) => socket.write(data));
    socket.on('error', (error: Error & { code?: string }) => heldErrors.push(error.code ?? ''));
  });
  for (const each of [held, empty]) {
    const key = { ...rig.key, port: each };
    await rig.ipvs.addService(key);
    if (each === held) for (const laddr of rig.laddrs) await rig.ipvs.addLocalAddress(key, ip4(laddr));
    await rig.ipvs.addDestination(key, destConfig(rig.rs1Address, each));
  }
  const key = { ...rig.key, port: closing, portMin: 34_000, portMax: 34_000 };
  await rig.ipvs.addService(key);
  await rig.ipvs.addLocalAddress(key, ip4(rig.laddrs[0] ?? ''));
  await rig.ipvs.addDestination(key, destConfig(rig.rs1Address, closing));
});

/** Asserts that both ends of a connection that times out get a RST, and a client that cannot be served, too. */
async function assertResets(): Promise<void> {
  setVs(rig.balancer, { timeout_established: 2 });
  const { socket } = await dial(rig.client, rig.vip, held);
  const errors: string[] = [];
  heldErrors.length = 0;
  socket.on('error', (error: Error & { code?: string }) => errors.push(error.code ?? ''));
  socket.write('x');
  await new Promise((done) => socket.once('data', done));
  await eventually('both resets', () => errors.length + heldErrors.length === 2, 15_000).catch(() => undefined);
  assert.deepEqual([errors, heldErrors], [['ECONNRESET'], ['ECONNRESET']], 'client and real server');
  setVs(rig.balancer, { timeout_established: 0 });
  await assert.rejects(dial(rig.client, rig.vip, empty, { timeout: 5000 }), { code: 'ECONNREFUSED' });
}

after(async () => {
  closeAll();
  await rig.destroy();
});

/** Lines of `conntrack -L` for a client's port. */
function tracked(clientPort: number): string[] {
  const { stdout } = rig.balancer.run(['conntrack', '-L', '-p', 'tcp'], { accept: 'any' });
  return stdout
    .split('\n')
    .filter((line) => line.includes(`src=${rig.clientAddress} `) && line.includes(`sport=${clientPort} `));
}

function invalid(): number {
  const { stdout } = rig.balancer.run(['nft', 'list', 'table', 'ip', 'guard']);
  return [...stdout.matchAll(/counter packets (\d+)/g)].reduce((sum, [, packets]) => sum + Number(packets), 0);
}

/** Connects; returns its own address, the one that the real server sees, and the time of the handshake. */
async function whoAmI(fromPort?: number): Promise<{ me: string; seen: string; ms: number }> {
  const { socket, ms } = await dial(rig.client, rig.vip, closing, fromPort === undefined ? {} : { fromPort });
  const me = `${socket.localAddress}:${socket.localPort}`;
  const seen = await readAll(socket);
  await closed(socket);
  return { me, seen, ms };
}

test('an entry’s reply goes from the real server to the local address', async () => {
  const { socket } = await dial(rig.client, rig.vip, port);
  const mine = socket.localPort ?? 0;
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await new Promise((done) => socket.once('data', done));
  const [line = ''] = tracked(mine);
  const tuples = [...line.matchAll(/src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)/g)].map(([, ...values]) => values);
  assert.equal(tuples.length, 2, line);
  assert.deepEqual(tuples[0], [rig.clientAddress, rig.vip, `${mine}`, '80']);
  const [source, destination, sport] = tuples[1] ?? [];
  assert.deepEqual([source, sport], [rig.rs1Address, '80']);
  assert.ok(rig.laddrs.includes(destination ?? ''), line);
  assert.match(line, /ESTABLISHED.*\[ASSURED\]/);
  socket.destroy();
});

test('a download and an upload without an invalid packet', async () => {
  const format = '%{http_code} %{size_download} %{local_ip}:%{local_port}';
  const curl = (...args: string[]) =>
    rig.client.run(['curl', '-s', '-m', '30', '-o', '/dev/null', '-w', format, ...args]).stdout.split(' ');
  const [code, size, me] = curl(`http://${rig.vip}/big`);
  assert.deepEqual([code, Number(size)], ['200', bytes]);
  const last = nginx.log().at(-1);
  assert.equal(`${last?.address}:${last?.port}`, me);
  writeFileSync('/tmp/upload', Buffer.alloc(1 << 20, 'u'));
  assert.equal(curl('--data-binary', '@/tmp/upload', '-H', 'Expect:', `http://${rig.vip}/`)[0], '405');
  assert.equal(invalid(), 0);
});

test('a client reuses its port while conntrack and IPVS still have its entry', async () => {
  for (let i = 0; i < 3; i++) {
    const { me, seen, ms } = await whoAmI(45_678);
    assert.equal(seen, me);
    assert.ok(ms < 4000, `${Math.round(ms)} ms`);
  }
});

test('a pool of one port serves one connection after the other, each tracked by conntrack', async () => {
  const counts = await rig.counted(async () => {
    for (let i = 0; i < 10; i++) {
      const { me, seen } = await whoAmI();
      assert.equal(seen, me);
      const [line] = tracked(Number(me.split(':')[1]));
      assert.match(line ?? '', /dst=10\.31\.3\.101 sport=81 dport=34000/);
    }
  });
  assert.ok((counts.fullnat_takeover ?? 0) >= 9);
  assert.equal(invalid(), 0);
});

test('the conntrack entry ends with the connection, and its port is free again', async () => {
  setVs(rig.balancer, { timeout_timewait: 1 });
  const { me } = await whoAmI();
  await eventually(
    'the end of both',
    () => rig.connections().length === 0 && tracked(Number(me.split(':')[1])).length === 0,
    15_000,
  );
  const counts = await rig.counted(async () => {
    const again = await whoAmI();
    assert.equal(again.seen, again.me);
  });
  assert.equal(counts.fullnat_takeover, undefined);
  assert.equal(counts.fullnat_port_conflict, undefined);
});

test('segments made by the balancer pass such a firewall', assertResets);

test('conntrack 0 beside such a firewall: notrack rules for clients and real servers are needed and sufficient', async () => {
  setVs(rig.balancer, { conntrack: 0 });
  // conntrack has not seen the SYN that the real server's SYN-ACK answers.
  await assert.rejects(dial(rig.client, rig.vip, port, { timeout: 1500 }), { code: 'ETIMEDOUT' });
  const rules = [
    'type filter hook prerouting priority raw;',
    `ip daddr ${rig.vip} tcp dport 80-89 notrack`,
    `ip saddr 10.31.0.0/16 ip daddr { ${rig.laddrs.join(', ')} } notrack`,
  ];
  rig.balancer.run(['nft', '-f', '-'], { input: `table ip free {\nchain in {\n${rules.join('\n')}\n}\n}\n` });
  const { me, seen } = await whoAmI();
  assert.equal(seen, me);
  assert.deepEqual(tracked(Number(me.split(':')[1])), []);
  await assertResets();
});
