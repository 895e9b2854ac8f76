// SPDX-License-Identifier: MIT
// lab: --uml
// SYN proxy with net.ipv4.vs.conntrack=1 and a firewall that drops packets in conntrack's state invalid.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { invalidDrop, packets } from '../fullnat/conntrack.ts';
import { type Rig, setVs, within } from '../fullnat/rig.ts';
import { closeAll, closed, type DialError, dial, readAll } from '../fullnat/tcp.ts';
import { eventually } from '../fullnat/wire.ts';
import { methods, proxiedRig } from './proxied.ts';

let rig: Rig;

before(async () => {
  rig = await proxiedRig();
  setVs(rig.balancer, { conntrack: 1 });
  rig.balancer.run(['nft', '-f', '-'], { input: invalidDrop([rig.vip], rig.laddrs, false) });
});

after(async () => {
  closeAll();
  await rig.destroy();
});

const dropped = () => packets(rig.balancer.run(['nft', 'list', 'ruleset']).stdout).dropped;
/** Rows of conntrack's table for a port of the virtual address. */
const tracked = (port: number) =>
  within(rig.balancer, () => readFileSync('/proc/net/nf_conntrack', 'utf8'))
    .split('\n')
    .filter((row) => row.includes(` dport=${port} `) && row.includes(`dst=${rig.vip} `));

for (const { name, port, refusing } of methods) {
  test(`${name}: connections, one port again and again, and a megabyte each way`, async () => {
    const before = dropped();
    const proxied = await rig.counted(async () => {
      for (let i = 0; i < 20; i++) {
        const { socket } = await dial(rig.client, rig.vip, port, { from: '10.1.0.2', fromPort: 30_000 + (i % 2) });
        socket.write('end');
        assert.equal(await readAll(socket), 'hello bye');
        await closed(socket);
      }
      const { socket } = await dial(rig.client, rig.vip, port);
      const bytes = Buffer.alloc(1 << 20, 'abcdefghijklmnop');
      let got = '';
      socket.setEncoding('latin1').on('data', (data: string) => {
        got += data;
      });
      socket.write(bytes);
      await eventually('all of it', () => got.length >= bytes.length + 6, 60_000);
      assert.equal(got, `hello ${bytes.toString('latin1')}`);
      assert.match(tracked(port).join('\n'), /ESTABLISHED .*dst=10\.99\.0\.10 .*src=10\.31\.4\.2 /);
      socket.destroy();
    });
    assert.ok((proxied.synproxy_ok_ack ?? 0) >= 21);
    assert.equal(dropped(), before);
  });

  test(`${name}: a real server that refuses leaves no entry`, async () => {
    const outcome = dial(rig.client, rig.vip, refusing).then(
      ({ socket }) => new Promise<Error & { code?: string }>((done) => socket.once('error', done)),
      (error: DialError) => error,
    );
    assert.equal((await outcome).code, 'ECONNRESET');
    await eventually('the end of it', () => tracked(refusing).length === 0);
  });
}

test('with nf_conntrack_tcp_loose = 0 such a firewall drops the ACKs of clients', async () => {
  rig.balancer.sysctl({ 'net.netfilter.nf_conntrack_tcp_loose': 0 });
  const before = dropped();
  const grown = await rig.counted(async () => {
    const { socket } = await dial(rig.client, rig.vip, methods[0]?.port ?? 0);
    socket.on('error', () => {});
    await eventually('a dropped segment', () => dropped() > before);
    socket.destroy();
  });
  assert.equal(grown.synproxy_ok_ack, undefined);
  rig.balancer.sysctl({ 'net.netfilter.nf_conntrack_tcp_loose': 1 });
});
