// SPDX-License-Identifier: MIT
/** The layouts of a listing: titles, and the columns of services and destinations. */
import {
  type Destination,
  IP_VS_SVC_F_ONEPACKET,
  IP_VS_SVC_F_PERSISTENT,
  IP_VS_SVC_F_SYNPROXY,
  type Service,
  type Stats,
} from '../../ipvs/index.ts';
import type { OptionName } from '../command-line/options.ts';
import { schedulerFlagsText } from '../command-line/scheduler-flags.ts';
import type { Lookup } from '../lookup.ts';
import type { ProcDestination } from './proc-table.ts';
import {
  counterText,
  destinationLabel,
  forwardLabel,
  netmaskText,
  serviceLabel,
  tunnelLabel,
  withSignedMark,
} from './texts.ts';

export interface Format {
  readonly exact: boolean;
  /** Names to print instead of numbers. */
  readonly names: Lookup | undefined;
  /** Print all 64 bits of a destination's counters (ipvsadm reads 32 of most), and marks as unsigned numbers. */
  readonly wide: boolean;
}

export interface Layout {
  readonly title: readonly [string, string];
  readonly needsStats?: true;
  /** /proc/net/ip_vs has all columns of a destination. */
  readonly inProc?: true;
  service(service: Service, format: Format): string;
  /** The columns after the name. */
  destination(dest: Destination, format: Format): string;
}

const LABEL = 33;
const REMOTE = '  -> RemoteAddress:Port';
const WITH_FLAGS = 'Prot LocalAddress:Port Scheduler Flags';

const left = (value: string | number, width: number): string => String(value).padEnd(width);
const counters = (values: readonly (bigint | undefined)[], exact: boolean): string =>
  values.map((value) => counterText(value ?? 0n, exact)).join('');

const label = (service: Service, { names, wide }: Format): string =>
  serviceLabel(wide ? service : withSignedMark(service), names);

function withFlags(service: Service, format: Format): string {
  const { scheduler, flags, timeout, peName } = service;
  const schedulerFlags = schedulerFlagsText(flags, scheduler);
  let text = `${label(service, format)} ${scheduler}`;
  if (schedulerFlags) text += ` (${schedulerFlags})`;
  if (flags & IP_VS_SVC_F_PERSISTENT) {
    const mask = netmaskText(service);
    text += ` persistent ${timeout}`;
    if (mask) text += ` mask ${mask}`;
    if (peName) text += ` pe ${peName}`;
  }
  if (flags & IP_VS_SVC_F_ONEPACKET) text += ' ops';
  if (flags & IP_VS_SVC_F_SYNPROXY) text += ' synproxy';
  if (service.defence) text += ' defence';
  return text;
}

const connections = ({ activeConnections, inactiveConnections }: Destination): string[] => [
  left(activeConnections, 10),
  left(inactiveConnections, 10),
];

const defaultLayout = (): Layout => ({
  title: [WITH_FLAGS, `${REMOTE}           Forward Weight ActiveConn InActConn`],
  inProc: true,
  service: withFlags,
  destination: (dest) => [left(forwardLabel(dest), 7), left(dest.weight, 6), ...connections(dest)].join(' '),
});

const tunnels = (): Layout => ({
  title: [WITH_FLAGS, `${REMOTE}           Forward TunnelInfo    Weight ActiveConn InActConn`],
  service: withFlags,
  destination: (dest) =>
    [left(forwardLabel(dest), 7), left(tunnelLabel(dest), 13), left(dest.weight, 6), ...connections(dest)].join(' '),
});

const low = (value: bigint): bigint => BigInt.asUintN(32, value);

/** A destination's counters as ipvsadm reads them: the lower 32 bits, except of bytes. */
function asRead(stats: Stats | undefined, { wide }: Format): Stats | undefined {
  if (!stats || wide) return stats;
  return {
    connections: low(stats.connections),
    inPackets: low(stats.inPackets),
    outPackets: low(stats.outPackets),
    inBytes: stats.inBytes,
    outBytes: stats.outBytes,
    connectionRate: low(stats.connectionRate),
    inPacketRate: low(stats.inPacketRate),
    outPacketRate: low(stats.outPacketRate),
    inByteRate: low(stats.inByteRate),
    outByteRate: low(stats.outByteRate),
  };
}

const amounts = (stats: Stats | undefined, { exact }: Format): string =>
  counters([stats?.connections, stats?.inPackets, stats?.outPackets, stats?.inBytes, stats?.outBytes], exact);

/** Rates of connections and packets always have all digits. */
const rates = (stats: Stats | undefined, { exact }: Format): string =>
  counters([stats?.connectionRate, stats?.inPacketRate, stats?.outPacketRate], true) +
  counters([stats?.inByteRate, stats?.outByteRate], exact);

const stats = (): Layout => ({
  title: ['Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes', REMOTE],
  needsStats: true,
  service: (service, format) => left(label(service, format), LABEL) + amounts(service.stats, format),
  destination: (dest, format) => amounts(asRead(dest.stats, format), format),
});

const rate = (): Layout => ({
  title: ['Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   OutBPS', REMOTE],
  needsStats: true,
  service: (service, format) => left(label(service, format), LABEL) + rates(service.stats, format),
  destination: (dest, format) => rates(asRead(dest.stats, format), format),
});

const thresholds = (): Layout => ({
  title: ['Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn ', REMOTE],
  service: withFlags,
  destination: (dest) => [left(dest.upperThreshold, 10), left(dest.lowerThreshold, 10), ...connections(dest)].join(' '),
});

const persistent = (): Layout => ({
  title: ['Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn ', REMOTE],
  service: withFlags,
  destination: (dest) => [left(dest.weight, 9), left(dest.persistentConnections, 11), ...connections(dest)].join(' '),
});

/** If several are requested, the first of these wins. */
export function layoutFor(options: ReadonlySet<OptionName>): Layout {
  if (options.has('stats')) return stats();
  if (options.has('rate')) return rate();
  if (options.has('thresholds')) return thresholds();
  if (options.has('persistent-conn')) return persistent();
  return options.has('tun-info') ? tunnels() : defaultLayout();
}

export function destinationRow(
  service: Service,
  dest: Destination | ProcDestination,
  layout: Layout,
  format: Format,
): string {
  const name = left(destinationLabel(service, dest, format.names), 28);
  const columns = 'columns' in dest ? dest.columns : layout.destination(dest, format);
  return `  -> ${name}${layout.needsStats ? '' : ' '}${columns}\n`;
}
