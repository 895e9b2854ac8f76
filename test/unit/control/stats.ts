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

const HISTOGRAM = { bounds: [0.001, 0.01], counts: [0, 2], count: 3, sum: 0.25 };

export const STATS: Stats = {
  summary: {
    defaults: { detail: 'real_servers', maxSeries: 600_000 },
    version: '9.9.9',
    node: 'v20',
    kernel: '6.1.0',
    modules: 'abc',
    features: ['FULLNAT', 'TOA'],
    reloadSuccessful: true,
    reloadedAt: 1_700_000_000.5,
    config: { file: '/etc/lvsd/lvsd.yaml', sha256: '0123456789ab' },
    reloads: { done: 2, refused: 0, rejected: 1 },
    services: 2,
    realServers: { up: 1, down: 1, draining: 0, unchecked: 0, disabled: 0, unprobed: 1 },
    refusedServices: 1,
    paused: false,
    overrides: { drain: 1, disable: 0, up: 0, weight: 0 },
    checkTargets: 3,
    checks: {
      results: [
        ['http', 'ok', 5],
        ['http', 'failed', 3],
      ],
      failures: [
        ['http', 'status', 2],
        ['http', 'refused', 1],
      ],
      durations: [['http', HISTOGRAM]],
      lateness: [
        ['sockets', HISTOGRAM],
        ['programs', HISTOGRAM],
      ],
      lanes: { sockets: { running: 2, queued: 1 }, programs: { running: 0, queued: 0 } },
      lost: 0.5,
      transitions: { up: 4, down: 3 },
    },
    reconcile: {
      open: 1,
      operations: [
        ['add-service', 'done', 2],
        ['set-destination', 'refused', 1],
      ],
      durations: HISTOGRAM,
      cycles: { done: 3, partial: 1, error: 0 },
      lastSuccess: 1_700_000_010,
      drift: { service: 1, real_server: 2, local_address: 0, address: 0, timeouts: 0, sync: 0 },
    },
    netlink: { errors: { ESRCH: 1 }, overruns: 0, dumpRetries: 2 },
    hooks: { runs: { done: 1, failed: 1, timeout: 0, lost: 0 }, durations: HISTOGRAM },
    syncDaemons: [{ role: 'master', device: 'eth1', id: 7 }],
    table: { age: 1.5, at: 60, reading: HISTOGRAM },
    ipvs: { connections: 1, inPackets: 2, outPackets: 3, inBytes: 4, outBytes: 5 },
    kernelCounters: { ...Object.fromEntries(Object.keys(KERNEL_COUNTERS).map((row) => [row, 3])), new_row: 4 },
    processes: [
      {
        name: 'daemon',
        residentMemory: 1e8,
        cpu: 1.25,
        openFiles: 30,
        maxFiles: 1024,
        startedAt: 1_700_000_000,
        loop: { p50: 0.001, p99: 0.01, max: 0.02, utilization: 0.1 },
      },
    ],
    restarts: { health: 1, vrrp: 0 },
    events: { 'real_server.down': 2 },
    eventsDropped: 0,
    logLinesDropped: 0,
    controlClients: { control: 1, read: 2 },
    vrrp: [
      {
        name: 'edge',
        state: 'master',
        priority: 100,
        effectivePriority: 90,
        addresses: 2,
        counters: { sent: 7, 'IP length': 1 },
        lastAdvert: 1_700_000_020,
      },
    ],
    vrrpLateness: [['edge', HISTOGRAM]],
    vrrpTransitions: [['edge', 'master', 1]],
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
