// SPDX-License-Identifier: MIT
// Random configurations around two services that carry downloads.
import type { Conf } from '../system/lvsd/daemon.ts';
import type { Random } from './random.ts';

/** Services that are in every configuration: one by FULLNAT, one by NAT. */
export const KEPT = { full: '10.99.0.11:80', plain: '10.99.0.12:80' };

const SCHEDULERS = ['rr', 'wrr', 'lc', 'wlc', 'sed', 'nq'];
/** They reject a client whose real server has weight 0, so that not every download could begin. */
const HASHING = ['sh', 'dh'];
const MACHINES = ['10.31.4.2', '10.31.5.2'];
/** Ports that the kept services do not use. */
const PORTS = [8001, 8002, 8003, 8004];

export function randomConf(random: Random): Conf {
  return {
    version: 1,
    resync: '5s',
    timeouts: { tcp: `${10 + random.below(10)}m`, udp: `${1 + random.below(5)}m` },
    ...(random.chance(30) && { on_stop: random.pick(['keep', 'remove']) }),
    ...(random.chance(30) && { checks: { concurrency: 1 + random.below(100) } }),
    local_addresses: {
      // Addresses in use must be able to leave the file while their connections continue.
      inner: {
        device: 'in0',
        addresses: [101, 102, 103, 104].filter((n) => n === 101 || random.chance(50)).map(local),
      },
      other: { device: 'in0', addresses: [local(111)], ...(random.chance(50) && { ports: '20000-40000' }) },
    },
    services: {
      full: { ...kept(random, '10.99.0.11'), forward: 'fullnat', local_addresses: 'inner' },
      plain: { ...kept(random, '10.99.0.12') },
      ...Object.fromEntries(random.some([1, 2, 3, 4, 5, 6], 60).map((n) => [`s${n}`, other(random, n)])),
    },
  };
}

const local = (n: number) => `10.31.3.${n}`;

/** Two real servers in every file, with any weights, and others that come and go. */
function kept(random: Random, address: string): Conf {
  const more = random
    .some(PORTS, 30)
    .map((port) => ({ address: random.pick(MACHINES), port, weight: random.below(4) }));
  return {
    ...{ address, port: 80, device: 'vip0', scheduler: random.pick(SCHEDULERS) },
    ...(random.chance(20) && { persistence: { timeout: `${1 + random.below(5)}m` } }),
    // Downloads may use any of them: a server that leaves the file keeps its connections.
    drain: '10m',
    ...(random.chance(30) && { on_failure: 'inhibit' }),
    ...(random.chance(30) && { sorry_server: '10.31.5.2:8888' }),
    check: check(random),
    real_servers: [...MACHINES.map((machine) => ({ address: machine, weight: 1 + random.below(5) })), ...unique(more)],
  };
}

function other(random: Random, n: number): Conf {
  const method = random.pick(['masquerade', 'fullnat', 'direct', 'tunnel']);
  const port = random.pick(PORTS);
  return {
    ...{ address: `10.99.0.${20 + n}`, port, forward: method, scheduler: random.pick([...SCHEDULERS, ...HASHING]) },
    ...(random.chance(70) && { device: random.pick(['vip0', 'lo']) }),
    ...(method === 'fullnat' && { local_addresses: random.pick(['inner', 'other']) }),
    ...(method !== 'fullnat' && random.chance(20) && { protocol: random.pick(['udp', ['tcp', 'udp']]) }),
    check: random.chance(50) ? 'none' : check(random),
    real_servers: random.some(MACHINES, 80).map((address) => ({
      address,
      weight: random.below(5),
      ...(random.chance(20) && { thresholds: { upper: 100 + random.below(100), lower: 50 } }),
    })),
  };
}

function check(random: Random): Conf {
  const pace = { interval: `${2 + random.below(3)}s`, timeout: '1900ms', fall: 2 + random.below(2) };
  return random.chance(50) ? { ...pace, type: 'tcp' } : { ...pace, type: 'http', path: '/healthz' };
}

function unique<T extends { address: string; port: number }>(servers: T[]): T[] {
  return [...new Map(servers.map((one) => [`${one.address}:${one.port}`, one])).values()];
}
