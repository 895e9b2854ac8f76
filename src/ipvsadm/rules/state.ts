// SPDX-License-Identifier: MIT
/** The state that `save --full` prints and a restore sets: table, timeouts and synchronisation daemons. */
import { AF_INET, AF_INET6, formatAddress } from '../../base/addresses.ts';
import type { Ipvs, SyncDaemon } from '../../ipvs/index.ts';
import {
  type Actual,
  type ActualService,
  type Desired,
  type DesiredService,
  readTable,
  serviceText,
} from '../../plan/index.ts';
import { type DaemonName, daemonName, type RuleTable } from './table.ts';

export interface State {
  actual: Actual;
  daemons: ReadonlyMap<DaemonName, SyncDaemon>;
}

/** Throws NetlinkError. */
export async function readState(ipvs: Ipvs): Promise<State> {
  const [table, daemons] = await Promise.all([readTable(ipvs), ipvs.daemons()]);
  return {
    actual: { ...table, addresses: [] },
    daemons: new Map(daemons.map((daemon) => [daemonName(daemon), daemon])),
  };
}

/** The desired state that a file describes. */
export function desiredOf(table: RuleTable): Desired {
  return { services: table.services, addresses: [], timeouts: table.timeouts };
}

/** The current state as a desired one, for a rollback. */
export function desiredFromActual({ services, timeouts }: Actual): Desired {
  return { services: services.map(desiredService), addresses: [], timeouts };
}

function desiredService({ service, destinations, localAddresses }: ActualService): DesiredService {
  const pool = localAddresses.filter(({ draining }) => !draining).map(({ address }) => address);
  return { ...service, name: serviceText(service), destinations, localAddresses: pool, establishedTimeout: undefined };
}

/** A change of a daemon: it is stopped, started, or restarted with other settings. */
export interface DaemonStep {
  name: DaemonName;
  from: SyncDaemon | undefined;
  to: SyncDaemon | undefined;
}

/** The changes from the running daemons to those of the file. */
export function daemonSteps(table: RuleTable, { daemons }: State): DaemonStep[] {
  return [...table.daemons].flatMap(([name, wanted]) => {
    const from = daemons.get(name);
    const to = wanted === 'stopped' ? undefined : wanted;
    return from === to || (from && to && matches(from, to)) ? [] : [{ name, from, to }];
  });
}

/** Whether a daemon has the settings of the file. Those that the file omits are chosen by the kernel. */
function matches(from: SyncDaemon, to: SyncDaemon): boolean {
  const group = (daemon: SyncDaemon) => (daemon.group ? groupText(daemon.group) : undefined);
  return (
    from.interface === to.interface &&
    from.syncId === to.syncId &&
    (['maxLength', 'port', 'ttl'] as const).every((name) => !to[name] || to[name] === from[name]) &&
    (!to.group || group(to) === group(from))
  );
}

/** A multicast group of 4 or 16 bytes as text. */
export function groupText(group: Uint8Array): string {
  return formatAddress(group.length === 16 ? AF_INET6 : AF_INET, group);
}

/** The options of --start-daemon for these settings. */
export function daemonOptions({ interface: device, syncId, maxLength, group, port, ttl }: SyncDaemon): string {
  const options = [`--mcast-interface ${device}`, `--syncid ${syncId}`];
  if (maxLength) options.push(`--sync-maxlen ${maxLength}`);
  if (group?.some((byte) => byte !== 0)) options.push(`--mcast-group ${groupText(group)}`);
  if (port) options.push(`--mcast-port ${port}`);
  if (ttl) options.push(`--mcast-ttl ${ttl}`);
  return options.join(' ');
}
