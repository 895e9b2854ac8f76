// SPDX-License-Identifier: MIT
// The kernel's side of a reading of counters where there is no IPVS: bytes made before, in the layout of
// include/uapi/linux/ip_vs.h, each dump after as much time on the CPU as the kernel takes for it.
import { inTurns } from '../../src/base/in-turns.ts';
import type { VirtualService } from '../../src/daemon/model/virtual-services.ts';
import { type DestinationConfig, type Ipvs, type ServiceConfig, serviceKeyText } from '../../src/ipvs/index.ts';
import { AttributeReader } from '../../src/netlink/index.ts';
import { attr, be16, nest, u16, u32, u64, zeros } from '../support/netlink-bytes.ts';

const counters = nest(12, ...Array.from({ length: 10 }, (_, k) => attr(k + 1, u64(BigInt(1e6 * (k + 1))))));

const serviceMessage = ({ address, port }: ServiceConfig) =>
  Buffer.from(
    nest(
      1,
      ...[attr(1, u16(2)), attr(2, u16(6)), attr(3, [...address, ...zeros(12)]), attr(4, be16(port))],
      ...[attr(7, u32(0), u32(0)), counters],
    ),
  );

const destinationMessage = ({ address, port }: DestinationConfig) =>
  Buffer.from(
    nest(
      2,
      ...[attr(1, [...address, ...zeros(12)]), attr(2, be16(port)), attr(3, u32(0)), attr(4, u32(1))],
      ...[5, 6, 9].map((kind) => attr(kind, u32(0))),
      ...[attr(7, u32(5)), attr(8, u32(6)), counters, attr(11, u16(2))],
    ),
  );

/** The client reads 512 KB of a dump in a turn of the event loop. */
const SERVICES_A_TURN = 1500;

/** Stays on the CPU until `milliseconds` have passed. */
function busy(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

/** A client of a kernel that has `services`; `cost`: milliseconds of the kernel for the real servers of one. */
export function kernelAnswers(services: readonly VirtualService[], cost: number): Ipvs {
  const read = (bytes: Buffer) => new AttributeReader(bytes, 0, bytes.length);
  const serviceBytes = services.map(({ config }) => serviceMessage(config));
  const destinationBytes = new Map(
    services.map((one) => [one.key, one.realServers.map((server) => destinationMessage(server.destination))]),
  );
  const reader: Partial<Ipvs> = {
    features: async () => new Set(),
    serviceStatistics: async (table) => {
      await inTurns(serviceBytes, SERVICES_A_TURN, (bytes) => table.readService(read(bytes)));
    },
    destinationStatistics: async (service, table) => {
      busy(cost);
      const key = serviceKeyText(service);
      for (const bytes of destinationBytes.get(key) ?? []) table.readDestination(read(bytes), key, 2);
    },
    localAddresses: async () => [],
    info: async () => ({ features: new Set() }) as unknown as Awaited<ReturnType<Ipvs['info']>>,
    daemons: async () => [],
  };
  return reader as Ipvs;
}
