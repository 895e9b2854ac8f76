// SPDX-License-Identifier: MIT
// Handlers of a made-up daemon with many services, whose counters grow with the time; a few services are not well.
import { setImmediate as turn } from 'node:timers/promises';
import type { Overview, RealServerStatus, ServiceStatus, VrrpStatus } from '../../../src/control/messages.ts';
import {
  LOCAL_ADDRESS_COLUMNS,
  REAL_SERVER_COLUMNS,
  ROWS,
  type Row,
  SERVICE_COLUMNS,
} from '../../../src/control/metrics/stats.ts';
import type { Handlers } from '../../../src/control/server.ts';
import { STATS } from '../control/stats.ts';

const NAMES = [
  ...['shop', 'api', 'login', 'search', 'mail', 'static', 'img', 'pay'],
  ...['stream', 'ads', 'geo', 'auth', 'push', 'feed', 'chat'],
];
const SERVERS = 4;
const HOUR = 3_600_000;

export interface Service {
  name: string;
  virtual: string;
  /** Connections per second. */
  rate: number;
  sorry: boolean;
  error?: string;
  servers: { name: string; address: string; state: RealServerStatus['state']; reason: string; drain?: string }[];
}

/** Numbers that look random and are always the same. */
const random = (index: number) => {
  const value = Math.sin(index * 12.9898 + 4.1414) * 43758.5453;
  return value - Math.floor(value);
};

export function made(count: number): Service[] {
  const services = Array.from({ length: count }, (_, i): Service => {
    const base = NAMES[i % NAMES.length] ?? '';
    return {
      name: i < NAMES.length ? base : `${base}-${Math.floor(i / NAMES.length)}`,
      virtual: `tcp 10.99.${i >> 8}.${i & 255}:443`,
      rate: 10 ** (1 + 3.2 * random(i)),
      sorry: false,
      servers: Array.from({ length: SERVERS }, (_, k) => ({
        name: `web${i * SERVERS + k}`,
        address: `10.31.${i % 250}.${k + 2}`,
        state: 'up',
        reason: 'status 200',
      })),
    };
  });
  const fail = (name: string, server: number, reason: string) =>
    Object.assign(services.find((one) => one.name === name)?.servers[server] ?? {}, { state: 'down', reason });
  fail('shop', 1, 'connection refused');
  for (const server of [0, 1, 2]) fail('search', server, 'status 503, wanted 200-299');
  for (const server of [0, 1, 2, 3]) {
    fail('pay', server, 'no answer within 1s');
    fail('mail', server, 'TLS: certificate has expired (CN=mail.example.net, since 2 days)');
  }
  for (const one of services) {
    if (one.name === 'mail') one.sorry = true;
    if (one.name === 'auth') one.error = 'tcp 10.99.0.11:443: there is no device eth7';
    const drained = one.name === 'static' ? one.servers[2] : undefined;
    if (drained) Object.assign(drained, { state: 'draining', drain: 'CHG-4711' });
  }
  return services;
}

const isUp = ({ state }: Service['servers'][number]) => state === 'up';

/** `services` may be changed while the handlers are in use. */
export function fleet(services: Service[]): Pick<Handlers, 'stats' | 'overview' | 'vrrp'> {
  const begun = Date.now();
  const row = (columns: readonly string[], given: Record<string, string | number | null>): Row =>
    columns.map((name) => given[name] ?? null);
  /** As the sampler's, each second. */
  const reading = () => Math.floor((Date.now() - begun) / 1000);
  /** Connections until the last reading, with a slow wave. */
  const connections = (rate: number, index: number, at: number) => {
    const t = at + 3600;
    return Math.round(rate * (t + 0.3 * 12 * Math.sin(t / 12 + index)));
  };
  const statusOf = (one: Service): ServiceStatus => ({
    name: one.name,
    virtuals: [one.virtual],
    scheduler: 'wrr',
    quorum: { needed: 1, weight: one.servers.filter(isUp).length, up: one.servers.some(isUp) },
    sorry: one.sorry,
    error: one.error,
    ...(one.error !== undefined && { errorSince: begun - 90_000 }),
    realServers: one.servers.map(
      (server, k): RealServerStatus => ({
        name: server.name,
        address: server.address,
        port: 8443,
        weight: 1,
        effectiveWeight: 0,
        state: server.state,
        override: server.drain === undefined ? undefined : 'drain',
        overrides:
          server.drain === undefined
            ? []
            : [{ kind: 'drain', by: 'alice', at: begun - HOUR / 4, reason: server.drain }],
        since: begun - (isUp(server) ? 300 : 0.1) * HOUR * (k + 1),
        reason: server.reason,
        latency: 0.4 + 3 * k,
        lastResultAt: Date.now(),
        activeConnections: 0,
        inactiveConnections: 0,
      }),
    ),
  });
  return {
    stats: async ({ detail, service: only }, _peer, notify) => {
      // One for the whole answer, which takes a while.
      const at = reading();
      const asked = Date.now();
      const send = async (table: string, rows: Row[]) => {
        for (let i = 0; i < rows.length; i += ROWS) {
          await notify('rows', { table, rows: rows.slice(i, i + ROWS) });
          await turn();
        }
      };
      const traffic = (rate: number, index: number) => {
        const all = connections(rate, index, at);
        return { connections: all, inPackets: 8 * all, outPackets: 9 * all, inBytes: 1100 * all, outBytes: 6900 * all };
      };
      if (detail !== 'summary')
        await send(
          'services',
          services.map((one, index) => {
            const up = one.servers.filter(isUp).length;
            return row(SERVICE_COLUMNS, {
              ...{ service: one.name, virtual: one.virtual, protocol: 'tcp', port: 443, scheduler: 'wrr' },
              ...{ forward: 'fullnat', pool: index % 3 === 0 ? 'small' : 'inner', realServers: one.servers.length },
              ...{ realServersUp: up, weight: up, quorum: 1, quorumUp: Number(up > 0), sorry: Number(one.sorry) },
              ...{ refused: Number(one.error !== undefined), active: Math.round(up * 2 * one.rate), inactive: 40 },
              ...traffic((up * one.rate) / SERVERS, index),
            });
          }),
        );
      const [index, open] = [...services.entries()].find(([, { name }]) => name === only) ?? [];
      if (open && index !== undefined)
        await send(
          'realServers',
          open.servers.map((server, k) =>
            row(REAL_SERVER_COLUMNS, {
              ...{ service: open.name, virtual: open.virtual, realServer: server.name, address: server.address },
              ...{ port: 8443, forward: 'fullnat', up: Number(isUp(server)), weight: Number(isUp(server)) },
              ...{ configuredWeight: 1, draining: Number(server.state === 'draining'), persistent: 0 },
              ...{ active: isUp(server) ? Math.round(2 * open.rate) : 3, inactive: 10, checks: 40_000 + k },
              ...{ failures: isUp(server) ? 2 : 117, latency: 0.001, lastChange: begun / 1000 },
              ...traffic(isUp(server) ? open.rate / SERVERS : 0, index),
            }),
          ),
        );
      if (detail !== 'summary' && services.length > 0)
        await send(
          'localAddresses',
          Array.from({ length: 5 }, (_, i) =>
            row(LOCAL_ADDRESS_COLUMNS, {
              ...{ pool: i < 4 ? 'inner' : 'small', localAddress: `10.31.3.${101 + i}`, ports: 60_536 },
              ...{ portsInUse: i < 4 ? 23_000 + 900 * i : 57_800, connections: 23_000, draining: 0 },
              ...{ exhausted: i < 4 ? 0 : 14, conflicts: 3 },
            }),
          ),
        );
      const all = services.flatMap(({ servers }) => servers);
      const count = (state: RealServerStatus['state']) => all.filter((one) => one.state === state).length;
      return {
        ...STATS.summary,
        services: services.length,
        realServers: {
          ...{ up: count('up'), down: count('down'), draining: count('draining') },
          ...{ unchecked: 0, disabled: 0, unprobed: 0 },
        },
        table: {
          age: (asked - begun) / 1000 - at,
          at,
          reading: STATS.summary.table.reading,
        },
      };
    },
    overview: ({ service }): Overview => ({
      host: 'lb1',
      version: '9.9.9',
      pid: 4711,
      startedAt: begun - 52 * HOUR,
      file: '/etc/lvsd/lvsd.yaml',
      loadedAt: begun - 2 * HOUR,
      reloadError: undefined,
      paused: false,
      failures: services
        .filter(({ error }) => error !== undefined)
        .map(({ name, error = '' }) => ({
          ...{ of: 'service', name, since: begun - 90_000, attempts: 4, nextAttemptAt: begun },
          changes: [{ sign: '~', text: error.split(': ')[0] ?? '', reason: error.split(': ')[1] ?? '' }],
        })),
      services: services.filter(({ name }) => name === service).map(statusOf),
      reasons:
        service !== undefined
          ? []
          : services.flatMap((one) => {
              const bad = one.servers.filter((server) => !isUp(server));
              const reason =
                one.error === undefined
                  ? bad.map(({ name, reason: why, drain }) => `${name}: ${drain ? `drained by alice (${drain})` : why}`)
                  : [`kernel refused: ${one.error}`];
              return reason.length === 0
                ? []
                : [{ service: one.name, virtual: one.virtual, reason: reason.join('; ').slice(0, 240) }];
            }),
    }),
    vrrp: () => ({ instances: services.length === 0 ? [] : ROUTERS.map((one) => ({ ...one, since: begun - HOUR })) }),
  };
}

const router = (name: string, more: Partial<VrrpStatus>): VrrpStatus => ({
  ...{ name, state: 'master', since: undefined, reason: '', interface: 'eth0', family: 'ipv4', version: 3 },
  ...{ virtualRouterId: 51, group: undefined, priority: 150, configuredPriority: 150, interval: 1000, unicast: false },
  ...{ addresses: [{ address: '10.99.0.1', prefix: 32, device: 'eth0' }], faults: [], tracked: [], counters: {} },
  lastRejected: undefined,
  ...more,
});

const ROUTERS = [
  router('edge', { reason: 'no advert for 361 ms' }),
  router('inside', {
    ...{ state: 'backup', interface: 'eth1', virtualRouterId: 52, priority: 90, configuredPriority: 110 },
    tracked: [{ kind: 'service', name: 'shop', up: false, weight: -20 }],
  }),
  router('dmz', { state: 'fault', interface: 'eth2', virtualRouterId: 53, faults: ['interface eth2: no carrier'] }),
];
