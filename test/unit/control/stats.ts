// SPDX-License-Identifier: MIT
// Numbers of a made-up daemon, and a handler that answers with them.

import { KERNEL_COUNTERS } from '../../../src/control/metrics/kernel-counters.ts';
import {
  LOCAL_ADDRESS_COLUMNS,
  REAL_SERVER_COLUMNS,
  type Row,
  SERVICE_COLUMNS,
  type Stats,
  UNPROBED,
} from '../../../src/control/metrics/stats.ts';
import type { Handlers } from '../../../src/control/server.ts';

export const row = (columns: readonly string[], given: Record<string, string | number | null>): Row =>
  columns.map((column, index) => (column in given ? (given[column] ?? null) : index + 100));

export const service = (name: string, more = {}) =>
  row(SERVICE_COLUMNS, { service: name, virtual: 'tcp 10.99.0.10:443', refused: 0, ...more });
export const server = (name: string, more = {}) =>
  row(REAL_SERVER_COLUMNS, { service: 'shop', virtual: 'tcp 10.99.0.10:443', realServer: name, up: 1, ...more });

export const STATS: Stats = {
  summary: {
    version: '9.9.9',
    node: 'v20',
    kernel: '6.1.0',
    modules: 'abc',
    features: ['FULLNAT', 'TOA'],
    reloadSuccessful: true,
    reloadedAt: 1_700_000_000.5,
    services: 2,
    realServers: { up: 1, down: 1, draining: 0, unchecked: 0, disabled: 0, unprobed: 1 },
    refusedServices: 1,
    paused: false,
    overrides: { drain: 1, disable: 0, up: 0, weight: 0 },
    checkTargets: 3,
    table: { age: 1.5, reading: { bounds: [0.001, 0.01], counts: [0, 2], count: 3, sum: 0.25 } },
    ipvs: { connections: 1, inPackets: 2, outPackets: 3, inBytes: 4, outBytes: 5 },
    kernelCounters: { ...Object.fromEntries(Object.keys(KERNEL_COUNTERS).map((row) => [row, 3])), new_row: 4 },
    processes: [{ name: 'daemon', residentMemory: 1e8, cpu: 1.25, openFiles: 30, startedAt: 1_700_000_000 }],
    events: { 'real_server.down': 2 },
    vrrp: [
      {
        name: 'edge',
        state: 'master',
        priority: 100,
        effectivePriority: 90,
        addresses: 2,
        counters: { sent: 7, 'IP length': 1 },
      },
    ],
  },
  services: [
    service('shop'),
    service('dns "x"\\\n', { refused: 1, localPorts: null, localPortsInUse: null, localPortsExhausted: null }),
  ],
  realServers: [server('web1'), server('web2', { up: 0, connections: null }), server('web3', { up: UNPROBED })],
  localAddresses: [row(LOCAL_ADDRESS_COLUMNS, { pool: 'inner', localAddress: '10.31.3.101' })],
};

export const statsHandler =
  ({ summary, ...tables }: Stats): Handlers['stats'] =>
  async (_params, _peer, notify) => {
    for (const [table, rows] of Object.entries(tables)) await notify('rows', { table, rows });
    return summary;
  };
