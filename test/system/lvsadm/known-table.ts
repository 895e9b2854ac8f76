// SPDX-License-Identifier: MIT
// The table that every recorded command line starts from, and tables as text.
import { AF_INET, AF_INET6, formatAddress, parseAddress } from '../../../src/base/addresses.ts';
import type { DestinationConfig, Ipvs, ServiceConfig } from '../../../src/ipvs/index.ts';

const TCP = 6;
const UDP = 17;
const SCTP = 132;
const TIMEOUTS = { tcp: 900, tcpFin: 120, udp: 300 };

function bytes(text: string) {
  const parsed = parseAddress(text);
  if (!parsed) throw new Error(`${text} is not an address`);
  return { family: parsed.bytes.length === 4 ? AF_INET : AF_INET6, address: parsed.bytes } as const;
}

const service = (protocol: number, address: string, port: number, more: Partial<ServiceConfig> = {}): ServiceConfig => {
  const place = bytes(address);
  const netmask = place.family === AF_INET ? 0xffffffff : 128;
  const rest = { fwmark: 0, scheduler: 'wlc', flags: 0, timeout: 0, netmask, peName: '' };
  return { ...place, protocol, port, ...rest, ...more };
};

const server = (
  address: string,
  port: number,
  method: number,
  weight: number,
  more: Partial<DestinationConfig> = {},
) => {
  const rest = { upperThreshold: 0, lowerThreshold: 0, tunnelType: 0, tunnelPort: 0, tunnelFlags: 0 };
  return { ...bytes(address), port, method, weight, ...rest, ...more };
};

const TABLE: readonly (readonly [ServiceConfig, ...DestinationConfig[]])[] = [
  [
    service(TCP, '192.0.2.1', 80, { scheduler: 'rr' }),
    server('10.0.0.1', 80, 0, 1),
    server('10.0.0.2', 8080, 0, 2, { upperThreshold: 100, lowerThreshold: 50 }),
    server('10.0.0.3', 80, 3, 0),
  ],
  [
    service(TCP, '192.0.2.1', 443, { scheduler: 'sh', flags: 0x11, timeout: 360, netmask: 0xffffff00 }),
    server('10.0.0.4', 443, 2, 5),
    server('10.0.0.5', 443, 2, 5, { tunnelType: 2, tunnelFlags: 1 }),
    server('10.0.0.6', 443, 2, 65535, { tunnelType: 1, tunnelPort: 6080, tunnelFlags: 2 }),
    server('127.0.0.1', 443, 3, 7),
  ],
  [service(TCP, '192.0.2.1', 0, { flags: 1, timeout: 300 })],
  [service(UDP, '192.0.2.1', 53, { scheduler: 'rr', flags: 4 })],
  [service(SCTP, '192.0.2.100', 36412)],
  [
    service(TCP, '2001:db8::80', 80, { scheduler: 'mh', flags: 0x19, timeout: 300, netmask: 64 }),
    server('2001:db8::2', 80, 3, 100),
    server('2001:db8:1:2:3:4:5:a0a0', 8080, 0, 1),
  ],
  [service(0, '0.0.0.0', 0, { fwmark: 7, scheduler: 'rr' }), server('10.0.0.2', 0, 3, 0)],
  [service(0, '::', 0, { fwmark: 8 })],
];

/** Writes the table that every case starts from. */
export async function reset(ipvs: Ipvs): Promise<void> {
  for (const { state, interface: device, syncId } of await ipvs.daemons())
    await ipvs.stopDaemon({ state, interface: device, syncId });
  await ipvs.flush();
  const sent = [ipvs.setTimeouts(TIMEOUTS)];
  for (const [virtual, ...servers] of TABLE) {
    sent.push(ipvs.addService(virtual));
    for (const one of servers) sent.push(ipvs.addDestination(virtual, one));
  }
  await Promise.all(sent);
}

/** All that can be configured, one line each, sorted. */
export async function tableLines(ipvs: Ipvs): Promise<string[]> {
  const lines: string[] = [];
  const reads = (await ipvs.services()).map(async (virtual) => {
    const { family, protocol, address, port, fwmark, scheduler, flags, timeout, netmask, peName } = virtual;
    const place = fwmark ? `fwmark ${fwmark}` : `${protocol} ${formatAddress(family, address)} ${port}`;
    const key = `${family === AF_INET ? 'v4' : 'v6'} ${place}`;
    lines.push(`${key}: ${scheduler} ${flags} ${timeout} ${netmask} ${peName}`);
    for (const dest of await ipvs.destinations(virtual)) {
      const { method, weight, upperThreshold, lowerThreshold, tunnelType, tunnelPort, tunnelFlags } = dest;
      const set = [method, weight, upperThreshold, lowerThreshold, tunnelType, tunnelPort, tunnelFlags].join(' ');
      lines.push(`${key} > ${formatAddress(dest.family, dest.address)} ${dest.port}: ${set}`);
    }
  });
  const [timeouts, daemons] = await Promise.all([ipvs.timeouts(), ipvs.daemons(), ...reads]);
  lines.push(`timeouts ${timeouts.tcp} ${timeouts.tcpFin} ${timeouts.udp}`);
  for (const { state, interface: device, syncId, maxLength, group, port, ttl } of daemons)
    lines.push(
      `daemon ${state} ${device} ${syncId} ${maxLength} ${group && Buffer.from(group).toString('hex')} ${port} ${ttl}`,
    );
  return lines.sort();
}

/** The difference of two tables: removed and added lines. */
export function change(before: readonly string[], after: readonly string[]): string {
  const removed = before.filter((line) => !after.includes(line)).map((line) => `-${line}\n`);
  const added = after.filter((line) => !before.includes(line)).map((line) => `+${line}\n`);
  return [...removed, ...added].join('');
}
