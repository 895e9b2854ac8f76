// SPDX-License-Identifier: MIT
/** -L --timeout and -L --daemon: timeouts and synchronisation daemons. */
import { AF_INET, AF_INET6, formatAddress } from '../../base/addresses.ts';
import { IP_VS_STATE_MASTER, type SyncDaemon, type Timeouts } from '../../ipvs/index.ts';

export function timeoutsText({ tcp, tcpFin, udp }: Timeouts): string {
  return `Timeout (tcp tcpfin udp): ${tcp} ${tcpFin} ${udp}\n`;
}

/** The master comes first; settings that are zero are omitted. */
export function daemonsText(daemons: readonly SyncDaemon[]): string {
  return [...daemons]
    .sort((a, b) => a.state - b.state)
    .map((daemon) => {
      const { state, interface: device, syncId, maxLength, group, port, ttl } = daemon;
      const parts = [`mcast=${device}`, `syncid=${syncId}`];
      if (maxLength) parts.push(`maxlen=${maxLength}`);
      if (group?.some((byte) => byte !== 0))
        parts.push(`group=${formatAddress(group.length === 16 ? AF_INET6 : AF_INET, group)}`);
      if (port) parts.push(`port=${port}`);
      if (ttl) parts.push(`ttl=${ttl}`);
      return `${state === IP_VS_STATE_MASTER ? 'master' : 'backup'} sync daemon (${parts.join(', ')})\n`;
    })
    .join('');
}
