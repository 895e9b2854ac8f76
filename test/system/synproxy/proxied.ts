// SPDX-License-Identifier: MIT
// The rig with proxied services of FULLNAT and of NAT, each with a real server that listens and with one that does not.
import { IP_VS_CONN_F_FULLNAT, IP_VS_CONN_F_MASQ, IP_VS_SVC_F_SYNPROXY } from '../../../src/ipvs/index.ts';
import { destConfig, fullnatRig, ip4, type Rig, serviceConfig } from '../fullnat/rig.ts';
import { listen } from '../fullnat/tcp.ts';

/** Of the real server; it has no listener at the other one. */
export const listening = 80;
const notListening = 81;

/** Ports of the services whose real server listens, and does not. */
export const methods = [
  { name: 'FULLNAT', method: IP_VS_CONN_F_FULLNAT, port: listening, refusing: notListening },
  { name: 'NAT', method: IP_VS_CONN_F_MASQ, port: 8080, refusing: 8081 },
];

/** The server says `hello `, then repeats what it hears; after `end` it says `bye` and closes. */
export async function proxiedRig(): Promise<Rig> {
  const rig = await fullnatRig({ bare: true });
  // With NAT, real servers answer to clients' addresses.
  rig.inside.ip('route add 10.1.0.0/16 via 10.31.3.2');
  rig.rs1.ip('route add 10.1.0.0/16 via 10.31.4.1');
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
  return rig;
}
