// SPDX-License-Identifier: MIT
// Packets from port 0, which only persistence templates have: TCP segments and ICMP errors that quote them, with NAT
// and FULLNAT.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { IP_VS_CONN_F_FULLNAT, IP_VS_CONN_F_MASQ, IP_VS_SVC_F_PERSISTENT } from '../../../src/ipvs/index.ts';
import { ACK, icmpError, PSH, RST, SYN, tcpPacket } from './packets.ts';
import { destConfig, fullnatRig, ip4, type Rig, run, serviceConfig } from './rig.ts';
import { closeAll, closed, dial, listen } from './tcp.ts';
import { eventually, Injector, sleep } from './wire.ts';

const services = [
  { port: 80, method: IP_VS_CONN_F_FULLNAT, flags: 0 },
  { port: 81, method: IP_VS_CONN_F_FULLNAT, flags: IP_VS_SVC_F_PERSISTENT },
  { port: 82, method: IP_VS_CONN_F_MASQ, flags: 0 },
  { port: 83, method: IP_VS_CONN_F_MASQ, flags: IP_VS_SVC_F_PERSISTENT },
];
const client = '10.1.0.2';
const [destinationUnreachable, portUnreachable, fragmentationNeeded] = [3, 3, 4];

let rig: Rig;
let outside: Injector;
let inside: Injector;

before(async () => {
  rig = await fullnatRig({ bare: true });
  // With NAT the balancer is the real servers' gateway.
  rig.rs1.ip('route add default via 10.31.4.1');
  rig.inside.ip('route add default via 10.31.3.2');
  for (const { port, method, flags } of services) {
    const key = serviceConfig(rig.vip, port, { flags, timeout: 300 });
    await rig.ipvs.addService(key);
    for (const laddr of rig.laddrs) await rig.ipvs.addLocalAddress(key, ip4(laddr));
    await rig.ipvs.addDestination(key, destConfig(rig.rs1Address, port, { method }));
    await listen(rig.rs1, port, (socket) => socket.on('data', (data) => socket.write(data)));
  }
  outside = new Injector(rig.client);
  inside = new Injector(rig.rs1);
});

after(async () => {
  outside.close();
  inside.close();
  closeAll();
  await rig.destroy();
});

/** Opens a connection, which makes a template in a persistent service, and expects an echo. */
async function echo(port: number): Promise<void> {
  const { socket } = await dial(rig.client, rig.vip, port);
  const received: string[] = [];
  socket.setEncoding('utf8').on('data', (text: string) => received.push(text));
  socket.write('x');
  await eventually(`an echo of port ${port}`, () => received.join('') === 'x');
  socket.resetAndDestroy();
  await closed(socket);
}

for (const { port, method, flags } of services) {
  const name = `${flags ? 'a persistent' : 'a'} ${method === IP_VS_CONN_F_FULLNAT ? 'FULLNAT' : 'NAT'} service`;

  test(`${name} survives segments from port 0`, async () => {
    await echo(port);
    const before = rig.connections();
    const segment = { source: client, destination: rig.vip, sourcePort: 0, destinationPort: port, seq: 1, ack: 2 };
    for (const kind of [ACK, PSH | ACK, RST, RST | ACK]) {
      outside.send(tcpPacket({ ...segment, flags: kind }));
    }
    await sleep(300);
    // No segment has changed a template's state.
    assert.deepEqual(templates(), templates(before));
    await echo(port);
  });

  test(`${name} survives ICMP errors that quote port 0`, async () => {
    await echo(port);
    const to = { source: client, destination: rig.vip };
    const fields = { seq: 1, ack: 2, flags: ACK };
    for (const code of [portUnreachable, fragmentationNeeded]) {
      for (const [sourcePort, destinationPort] of [
        [0, port],
        [port, 0],
      ] as const) {
        const quoted = tcpPacket({ ...to, ...fields, sourcePort, destinationPort });
        const answer = tcpPacket({ ...fields, source: rig.vip, destination: client, sourcePort, destinationPort });
        for (const about of [quoted, answer]) {
          outside.send(icmpError(to, destinationUnreachable, code, about, { quote: 20, mtu: 576 }));
        }
      }
    }
    await sleep(300);
    await echo(port);
  });

  test(`${name} survives a real server that answers port 0`, async () => {
    await echo(port);
    const before = rig.connections();
    const segment = { source: rig.rs1Address, destination: client, sourcePort: port, destinationPort: 0 };
    for (const kind of [ACK, RST | ACK, SYN | ACK]) {
      inside.send(tcpPacket({ ...segment, seq: 1, ack: 2, flags: kind }));
    }
    await sleep(300);
    assert.deepEqual(templates(), templates(before));
    await echo(port);
  });
}

/** States of the templates, which have the client's port 0. */
function templates(connections = rig.connections()): [string, string][] {
  return connections.filter(({ client: from }) => from.endsWith(':0')).map(({ client: from, state }) => [from, state]);
}

test('the kernel log has no report', () => {
  assert.doesNotMatch(run('dmesg'), /BUG:|Oops|WARNING:/);
});
