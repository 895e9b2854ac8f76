// SPDX-License-Identifier: MIT
/** Families with one sample for each service, real server or local address. Pure. */
import { type Group, L, R, type RowFamily, S, TABLES } from './family.ts';
import { type Cell, type Detail, UNPROBED } from './stats.ts';

const number = (cell: Cell | undefined): number | undefined => (typeof cell === 'number' ? cell : undefined);
const text = (cell: Cell | undefined): string => `${cell ?? ''}`;

const row = (
  table: keyof typeof TABLES,
  group: Group,
  level: Detail,
  name: string,
  column: number,
  help: string,
  value: RowFamily['value'] = (cells) => number(cells[column]),
): RowFamily => ({
  name,
  type: name.endsWith('_total') ? 'counter' : 'gauge',
  group,
  level,
  help,
  labels: Object.keys(TABLES[table]),
  table,
  value,
});

const service = (name: string, column: number, help: string, value?: RowFamily['value']) =>
  row('services', 'service', 'services', `service_${name}`, column, help, value);
const realServer = (level: Detail, name: string, column: number, help: string, value?: RowFamily['value']) =>
  row('realServers', 'real_server', level, `real_server_${name}`, column, help, value);
const localAddress = (name: string, column: number, help: string) =>
  row('localAddresses', 'local_address', 'real_servers', `local_address_${name}`, column, help);

export const ROW_FAMILIES: readonly RowFamily[] = [
  {
    ...service('info', S.port, 'What describes a service; always 1.', () => 1),
    labels: ['service', 'virtual', 'protocol', 'address', 'port', 'fwmark', 'scheduler', 'forward', 'pool'],
    more: (cells) => ({
      protocol: text(cells[S.protocol]),
      address: text(cells[S.address]),
      port: text(cells[S.port]),
      fwmark: text(cells[S.fwmark]),
      scheduler: text(cells[S.scheduler]),
      forward: text(cells[S.forward]),
      pool: text(cells[S.pool]),
    }),
  },
  service('real_servers', S.realServers, 'Real servers of the file.'),
  service('real_servers_up', S.realServersUp, 'Real servers that get new connections.'),
  service('weight', S.weight, 'Sum of the weights of real servers that are up and not drained.'),
  service('quorum', S.quorum, 'Weight that the service needs.'),
  service('quorum_up', S.quorumUp, 'Whether the service has its quorum.'),
  service('sorry', S.sorry, 'Whether the sorry server is in use.'),
  service(
    'refused',
    S.refused,
    '1 if the kernel refuses a change of the service; otherwise there is no sample.',
    (cells) => (cells[S.refused] === 1 ? 1 : undefined),
  ),
  service('active_connections', S.active, 'Active connections.'),
  service('inactive_connections', S.inactive, 'Inactive connections.'),
  service('connections_total', S.connections, 'Connections.'),
  service('incoming_packets_total', S.inPackets, 'Packets from clients.'),
  service('outgoing_packets_total', S.outPackets, 'Packets to clients; 0 with direct routing and tunnels.'),
  service('incoming_bytes_total', S.inBytes, 'Bytes from clients, with their IP headers.'),
  service(
    'outgoing_bytes_total',
    S.outBytes,
    'Bytes to clients, with their IP headers; 0 with direct routing and tunnels.',
  ),
  service('local_ports', S.localPorts, 'Local ports of FULLNAT.'),
  service('local_ports_in_use', S.localPortsInUse, 'Local ports of FULLNAT that connections use.'),
  service('local_ports_exhausted_total', S.localPortsExhausted, 'Connections for which no local port was free.'),
  service('local_port_conflicts_total', S.localPortConflicts, 'Local ports that were chosen and in use.'),
  {
    ...realServer('full', 'info', R.port, 'What describes a real server; always 1.', () => 1),
    labels: ['service', 'virtual', 'real_server', 'address', 'port', 'forward'],
    more: (cells) => ({
      address: text(cells[R.address]),
      port: text(cells[R.port]),
      forward: text(cells[R.forward]),
    }),
  },
  realServer('real_servers', 'up', R.up, '1 if up or not checked, 0 if down, NaN before the first result.', (cells) =>
    cells[R.up] === UNPROBED ? Number.NaN : number(cells[R.up]),
  ),
  realServer('real_servers', 'weight', R.weight, "Weight in the kernel's table now."),
  realServer('full', 'configured_weight', R.configuredWeight, 'Weight in the file.'),
  realServer('full', 'draining', R.draining, 'Whether it gets no new connections and keeps those that it has.'),
  realServer('real_servers', 'active_connections', R.active, 'Active connections.'),
  realServer('real_servers', 'inactive_connections', R.inactive, 'Inactive connections.'),
  realServer('full', 'persistent_connections', R.persistent, 'Templates of persistence.'),
  realServer('real_servers', 'connections_total', R.connections, 'Connections.'),
  realServer('full', 'incoming_packets_total', R.inPackets, 'Packets from clients.'),
  realServer('full', 'outgoing_packets_total', R.outPackets, 'Packets to clients.'),
  realServer('real_servers', 'incoming_bytes_total', R.inBytes, 'Bytes from clients, with their IP headers.'),
  realServer('real_servers', 'outgoing_bytes_total', R.outBytes, 'Bytes to clients, with their IP headers.'),
  realServer('real_servers', 'last_change_timestamp_seconds', R.lastChange, 'When its checks last changed its state.'),
  realServer('full', 'checks_total', R.checks, 'Results of its checks.'),
  realServer('real_servers', 'check_failures_total', R.failures, 'Checks that failed.'),
  realServer('full', 'transitions_total', R.transitions, 'Changes of the state of its checks since lvsd started.'),
  realServer('full', 'check_duration_seconds', R.latency, 'Duration of the last check.'),
  localAddress('ports', L.ports, 'Local ports, summed over services.'),
  localAddress('ports_in_use', L.portsInUse, 'Local ports that connections use.'),
  localAddress('connections', L.connections, 'Connections.'),
  localAddress('draining', L.draining, 'Whether it gets no new connections.'),
  localAddress('ports_exhausted_total', L.exhausted, 'Connections for which no local port was free.'),
  localAddress('port_conflicts_total', L.conflicts, 'Local ports that were chosen and in use.'),
];
