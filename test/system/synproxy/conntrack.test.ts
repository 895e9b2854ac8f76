// SPDX-License-Identifier: MIT
// lab: --uml
// SYN proxy with net.ipv4.vs.conntrack=1 and a firewall that drops packets in conntrack's state invalid.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { IP_VS_CONN_F_FULLNAT, IP_VS_CONN_F_MASQ, IP_VS_SVC_F_SYNPROXY } from '../../../src/ipvs/index.ts';
import { invalidDrop, packets } from '../fullnat/conntrack.ts';
import { destConfig, fullnatRig, ip4, type Rig, serviceConfig, setVs, within } from '../fullnat/rig.ts';
import { closeAll, closed, type DialError, dial, listen, readAll } from '../fullnat/tcp.ts';
import { eventually } from '../fullnat/wire.ts';

const listening = 80;
const notListening = 81;
const methods = [
  { name: 'FULLNAT', method: IP_VS_CONN_F_FULLNAT, port: listening, refusing: notListening },
  { name: 'NAT', method: IP_VS_CONN_F_MASQ, port: 8080, refusing: 8081 },
];
let rig: Rig;

before(async () => {
  rig = await fullnatRig({ bare: true });
  rig.inside.ip('route add 10.1.0.0/16 via 10.31.3.2');
  rig.rs1.ip('route add 10.1.0.0/16 via 10.31.4.1');
  setVs(rig.balancer, { conntrack: 1 });
  rig.balancer.run(['nft', '-f', '-'], { input: invalidDrop([rig.vip], rig.laddrs, false) });
  for (const { method, port, refusing } of methods)
    for (const [from, to] of [
      [port, listening],
      [refusing, notListening],
    ] as const) {
      const service = serviceConfig(rig.vip, from, { flags: IP_VS_SVC_F_SYNPROXY });
      await rig.ipvs.addService(service);
      if (method === IP_VS_CONN_F_FULLNAT)
        for (const laddr of rig.laddrs) await rig.ipvs.addLocalAddress(service, ip4(laddr));
      await rig.ipvs.addDestination(service, destConfig(rig.rs1Address, to, { method }));
    }
  await listen(rig.rs1, listening, (socket) => {
    socket.write('hello ');
    socket.on('data', (data) => (data.toString() === 'end' ? socket.end('bye') : socket.write(data)));
  });
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
