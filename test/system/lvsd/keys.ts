// SPDX-License-Identifier: MIT
// One row per key of the configuration: its old and new value, and the netlink requests that the change may cause.
import { hostname } from 'node:os';
import type { Conf } from './daemon.ts';

/** An included file with one more service. */
export const INCLUDED = 'more.yaml';

/**
 * The configuration that rows change. No row may affect `web`. `plain` is NAT with every setting given, `full` is
 * FULLNAT, `mark` has a firewall mark, `datagram` is UDP, and `minimal` has every default.
 */
export const BASE: Conf = {
  version: 1,
  manage: 'named',
  timeouts: { tcp: '15m', tcp_fin: '2m', udp: '5m' },
  local_addresses: {
    web: { device: 'in0', addresses: ['10.31.3.91-10.31.3.92'] },
    inner: { device: 'in0', addresses: ['10.31.3.101-10.31.3.102'] },
    spare: { device: 'in0', addresses: ['10.31.3.111'] },
  },
  services: {
    web: {
      ...{ address: '10.99.0.11', port: 80, device: 'lo', scheduler: 'rr', forward: 'fullnat', protocol: 'tcp' },
      ...{ local_addresses: 'web', drain: '0s', quorum: 1, check: { type: 'tcp', interval: '1s', timeout: '900ms' } },
      real_servers: [
        { address: '10.31.4.2', port: 80, weight: 1 },
        { address: '10.31.5.2', port: 80, weight: 1 },
      ],
    },
    plain: {
      ...{ address: '10.99.0.12', port: 8001, device: 'lo', scheduler: 'wrr', forward: 'masquerade', protocol: 'tcp' },
      check: { type: 'tcp', interval: '1s', timeout: '900ms' },
      real_servers: [
        { address: '10.31.4.2', weight: 1 },
        { address: '10.31.5.2', weight: 1 },
      ],
    },
    full: {
      ...{ address: '10.99.0.13', port: 8002, scheduler: 'rr', forward: 'fullnat', local_addresses: 'inner' },
      ...{ check: 'none', protocol: 'tcp', device: 'lo' },
      real_servers: [{ address: '10.31.4.2', port: 8002, weight: 1 }],
    },
    mark: {
      ...{ fwmark: 7, scheduler: 'rr', forward: 'masquerade', check: 'none' },
      real_servers: [{ address: '10.31.4.2', weight: 1 }],
    },
    datagram: {
      ...{ address: '10.99.0.15', port: 5060, protocol: 'udp', scheduler: 'rr', forward: 'masquerade', device: 'lo' },
      ...{ check: 'none', real_servers: [{ address: '10.31.4.2', port: 5060, weight: 1 }] },
    },
    minimal: { address: '10.99.0.16', port: 8004, real_servers: ['10.31.4.2'] },
  },
};

export interface Row {
  key: string;
  /** Values by their paths; undefined removes a key. Paths that do not begin with `.` are below `services`. */
  to: Readonly<Record<string, unknown>>;
  /** Requests to the kernel, in their order. */
  requests: readonly string[];
  /** The failure that the daemon reports for an operation that the kernel refuses. */
  refused?: RegExp;
}

const plain = 'tcp 10.99.0.12:8001';
const full = 'tcp 10.99.0.13:8002';
const datagram = 'udp 10.99.0.15:5060';
const minimal = 'tcp 10.99.0.16:8004';
const rs1 = '10.31.4.2:8001';
const rs2 = '10.31.5.2:8001';

const row = (key: string, to: Row['to'], requests: readonly string[] = [], refused?: RegExp): Row => ({
  ...{ key, to, requests },
  ...(refused && { refused }),
});
const bothSet = (words: string) => [rs1, rs2].map((server) => `SET_DEST ${plain} ${server} ${words}`);

/** Top-level keys, and those of pools. */
const top: Row[] = [
  row('timeouts.tcp', { '.timeouts.tcp': '20m' }, ['SET_CONFIG tcp 1200 tcp_fin 0 udp 0']),
  row('timeouts.tcp_fin', { '.timeouts.tcp_fin': '1m' }, ['SET_CONFIG tcp 0 tcp_fin 60 udp 0']),
  row('timeouts.udp', { '.timeouts.udp': '1m' }, ['SET_CONFIG tcp 0 tcp_fin 0 udp 60']),
  row('timeouts.*', { '.timeouts': { tcp: '16m', tcp_fin: '3m', udp: '6m' } }, [
    'SET_CONFIG tcp 960 tcp_fin 180 udp 360',
  ]),
  row('resync', { '.resync': '10s' }),
  row('log', { '.log': { level: 'debug', levels: { health: 'info' } } }),
  row('checks.concurrency', { '.checks': { concurrency: 10 } }),
  row('on_stop', { '.on_stop': 'remove' }),
  row('local_addresses.*.addresses: one more', { '.local_addresses.inner.addresses': ['10.31.3.101-10.31.3.103'] }, [
    'NEW_ADDR 10.31.3.103/32 in0',
    `NEW_LADDR ${full} 10.31.3.103`,
  ]),
  row('local_addresses.*.addresses: one less', { '.local_addresses.inner.addresses': ['10.31.3.102'] }, [
    `DEL_LADDR ${full} 10.31.3.101 drain`,
    `DEL_LADDR ${full} 10.31.3.101`,
    'DEL_ADDR 10.31.3.101/32 in0',
  ]),
  row(
    'local_addresses.*.addresses: a pool without a service',
    { '.local_addresses.spare.addresses': ['10.31.3.112'] },
    ['DEL_ADDR 10.31.3.111/32 in0', 'NEW_ADDR 10.31.3.112/32 in0'],
  ),
  row('local_addresses.*.device', { '.local_addresses.inner.device': 'vip0' }, [
    'NEW_ADDR 10.31.3.101/32 vip0',
    'NEW_ADDR 10.31.3.102/32 vip0',
    // Removals are in the kernel's order.
    'DEL_ADDR 10.31.3.102/32 in0',
    'DEL_ADDR 10.31.3.101/32 in0',
  ]),
  row('local_addresses.*.ports', { '.local_addresses.inner.ports': '20000-30000' }, [
    `SET_SERVICE ${full} rr ports 20000-30000`,
  ]),
  row('nodes', { '.nodes': { [hostname()]: { services: { plain: { scheduler: 'lc' } } }, other: {} } }, [
    `SET_SERVICE ${plain} lc`,
  ]),
  row('include', { '.include': [INCLUDED] }, [
    'NEW_SERVICE tcp 10.99.0.17:80 wlc',
    'NEW_DEST tcp 10.99.0.17:80 10.31.4.2:80 nat w1',
    'NEW_ADDR 10.99.0.17/32 vip0',
  ]),
];

/** Defaults, which affect `minimal` only: the other services have every setting. */
const defaults: Row[] = [
  row('defaults.scheduler', { '.defaults': { scheduler: 'lblc' } }, [`SET_SERVICE ${minimal} lblc`]),
  row('defaults.weight', { '.defaults': { weight: 9 } }, [`SET_DEST ${minimal} 10.31.4.2:8004 nat w9`]),
  row('defaults.forward', { '.defaults': { forward: 'direct' } }, [`SET_DEST ${minimal} 10.31.4.2:8004 direct w1`]),
  row('defaults.device', { '.defaults': { device: 'vip0' } }, ['NEW_ADDR 10.99.0.16/32 vip0']),
  row('defaults.protocol', { '.defaults': { protocol: 'udp' } }, [
    'NEW_SERVICE udp 10.99.0.16:8004 wlc',
    'NEW_DEST udp 10.99.0.16:8004 10.31.4.2:8004 nat w1',
    `DEL_SERVICE ${minimal}`,
  ]),
  row('defaults.local_addresses, defaults.forward', { '.defaults': { forward: 'fullnat', local_addresses: 'spare' } }, [
    `NEW_LADDR ${minimal} 10.31.3.111`,
    `SET_DEST ${minimal} 10.31.4.2:8004 fullnat w1`,
  ]),
  row('defaults: settings that the kernel does not have', {
    '.defaults': {
      ...{ check: { type: 'tcp', interval: '5s' }, on_failure: 'inhibit', drain: '1m', quorum: 1, hysteresis: 0 },
    },
  }),
];

const service: Row[] = [
  row('address', { 'plain.address': '10.99.0.18' }, [
    'DEL_ADDR 10.99.0.12/32 lo',
    'NEW_SERVICE tcp 10.99.0.18:8001 wrr',
    `NEW_DEST tcp 10.99.0.18:8001 ${rs1} nat w1`,
    `NEW_DEST tcp 10.99.0.18:8001 ${rs2} nat w1`,
    'NEW_ADDR 10.99.0.18/32 lo',
    `DEL_SERVICE ${plain}`,
  ]),
  row('port', { 'plain.port': 8003 }, [
    'NEW_SERVICE tcp 10.99.0.12:8003 wrr',
    'NEW_DEST tcp 10.99.0.12:8003 10.31.4.2:8003 nat w1',
    'NEW_DEST tcp 10.99.0.12:8003 10.31.5.2:8003 nat w1',
    `DEL_SERVICE ${plain}`,
  ]),
  row('port: a range that grows', { 'plain.port': '8001-8002' }, [
    'NEW_SERVICE tcp 10.99.0.12:8002 wrr',
    'NEW_DEST tcp 10.99.0.12:8002 10.31.4.2:8002 nat w1',
    'NEW_DEST tcp 10.99.0.12:8002 10.31.5.2:8002 nat w1',
  ]),
  row('protocol', { 'plain.protocol': ['tcp', 'udp'] }, [
    'NEW_SERVICE udp 10.99.0.12:8001 wrr',
    `NEW_DEST udp 10.99.0.12:8001 ${rs1} nat w1`,
    `NEW_DEST udp 10.99.0.12:8001 ${rs2} nat w1`,
  ]),
  row('fwmark', { 'mark.fwmark': 8 }, [
    'NEW_SERVICE fwmark 8 rr',
    'NEW_DEST fwmark 8 10.31.4.2:0 nat w1',
    'DEL_SERVICE fwmark 7',
  ]),
  row('family', { 'mark.family': 'ipv6', 'mark.real_servers': ['2001:db8::1'] }, [
    'NEW_SERVICE fwmark 7 ipv6 rr',
    'NEW_DEST fwmark 7 ipv6 2001:db8::1:0 nat w1',
    'DEL_SERVICE fwmark 7',
  ]),
  row('device', { 'plain.device': 'vip0' }, ['NEW_ADDR 10.99.0.12/32 vip0', 'DEL_ADDR 10.99.0.12/32 lo']),
  row('device: removed', { 'plain.device': undefined }, ['DEL_ADDR 10.99.0.12/32 lo']),
  row('scheduler', { 'plain.scheduler': 'wlc' }, [`SET_SERVICE ${plain} wlc`]),
  row('scheduler_flags', { 'plain.scheduler': 'sh', 'plain.scheduler_flags': ['sh-port', 'sh-fallback'] }, [
    `SET_SERVICE ${plain} sh flags 18`,
  ]),
  row('one_packet', { 'datagram.one_packet': true }, [`SET_SERVICE ${datagram} rr flags 4`]),
  row('persistence', { 'plain.persistence': {} }, [`SET_SERVICE ${plain} wrr persistent 300 mask 255.255.255.255`]),
  row('persistence.timeout', { 'plain.persistence': { timeout: '1h' } }, [
    `SET_SERVICE ${plain} wrr persistent 3600 mask 255.255.255.255`,
  ]),
  row('persistence.granularity', { 'plain.persistence': { granularity: 24 } }, [
    `SET_SERVICE ${plain} wrr persistent 300 mask 255.255.255.0`,
  ]),
  row('persistence.engine', { 'datagram.persistence': { engine: 'sip' } }, [
    `SET_SERVICE ${datagram} rr persistent 300 mask 255.255.255.255 sip`,
  ]),
  row('forward: direct', { 'plain.forward': 'direct' }, bothSet('direct w1')),
  row('forward: tunnel', { 'plain.forward': 'tunnel' }, bothSet('tunnel w1')),
  row(
    'forward.type, .port, .checksum',
    { 'plain.forward': { method: 'tunnel', type: 'gue', port: 5555, checksum: 'remote' } },
    bothSet('tunnel type 1 port 5555 flags 2 w1'),
  ),
  row('forward: fullnat, and its pool', { 'plain.forward': 'fullnat', 'plain.local_addresses': 'inner' }, [
    `NEW_LADDR ${plain} 10.31.3.101`,
    `NEW_LADDR ${plain} 10.31.3.102`,
    ...bothSet('fullnat w1'),
  ]),
  row('local_addresses', { 'full.local_addresses': 'spare' }, [
    `NEW_LADDR ${full} 10.31.3.111`,
    `DEL_LADDR ${full} 10.31.3.102 drain`,
    `DEL_LADDR ${full} 10.31.3.101 drain`,
    `DEL_LADDR ${full} 10.31.3.102`,
    `DEL_LADDR ${full} 10.31.3.101`,
  ]),
  row('timeouts.established', { 'plain.timeouts': { established: '1m' } }, [], /timeouts\.established/),
  row('quorum', { 'plain.quorum': 2 }),
  row('hysteresis', { 'plain.quorum': 2, 'plain.hysteresis': 0 }),
  row('on_failure', { 'plain.on_failure': 'inhibit' }),
  row('drain', { 'plain.drain': '1m' }),
  row('check', { 'plain.check': { type: 'http', path: '/healthz', interval: '3s' } }),
  row('checks', { 'plain.checks': [{ type: 'tcp', port: 8003 }] }),
  row('hooks', { 'plain.hooks': { up: ['/bin/true'] } }),
  row('check: none', { 'plain.check': 'none' }),
  row('sorry_server', { 'plain.sorry_server': '10.31.5.2:8004' }),
  row('a service renamed', { plain: undefined, renamed: serviceOf('plain') }),
  row('one service less', { plain: undefined }, ['DEL_ADDR 10.99.0.12/32 lo', `DEL_SERVICE ${plain}`]),
  row(
    'one service more',
    { more: { address: '10.99.0.12', port: 8003, device: 'lo', check: 'none', real_servers: ['10.31.4.2'] } },
    ['NEW_SERVICE tcp 10.99.0.12:8003 wlc', 'NEW_DEST tcp 10.99.0.12:8003 10.31.4.2:8003 nat w1'],
  ),
];

const realServers: Row[] = [
  row('real_servers[].weight', { 'plain.real_servers.0.weight': 5 }, [`SET_DEST ${plain} ${rs1} nat w5`]),
  row('real_servers[].weight: 0', { 'plain.real_servers.0.weight': 0 }, [`SET_DEST ${plain} ${rs1} nat w0`]),
  row('real_servers[].port', { 'full.real_servers.0.port': 8003 }, [
    `NEW_DEST ${full} 10.31.4.2:8003 fullnat w1`,
    `DEL_DEST ${full} 10.31.4.2:8002`,
  ]),
  row('real_servers[].address', { 'full.real_servers.0.address': '10.31.5.2' }, [
    `NEW_DEST ${full} 10.31.5.2:8002 fullnat w1`,
    `DEL_DEST ${full} 10.31.4.2:8002`,
  ]),
  row('real_servers[].name', { 'plain.real_servers.0.name': 'first' }),
  row('real_servers[].check', { 'plain.real_servers.0.check': 'none' }),
  row('real_servers[].checks', { 'plain.real_servers.0.checks': [{ type: 'tcp', port: 8003 }] }),
  row('real_servers[].forward', { 'plain.real_servers.0.forward': 'direct' }, [`SET_DEST ${plain} ${rs1} direct w1`]),
  row('real_servers[].thresholds', { 'plain.real_servers.0.thresholds': { upper: 100, lower: 50 } }, [
    `SET_DEST ${plain} ${rs1} nat w1 limits 100-50`,
  ]),
  row('real_servers: one less', { 'plain.real_servers': [{ address: '10.31.4.2', weight: 1 }] }, [
    `DEL_DEST ${plain} ${rs2}`,
  ]),
  row('real_servers: in another order', { 'plain.real_servers': ['10.31.5.2', '10.31.4.2'] }),
  row('real_servers: one more', { 'mark.real_servers': ['10.31.4.2', '10.31.5.2'] }, [
    'NEW_DEST fwmark 7 10.31.5.2:0 nat w1',
  ]),
];

export const ROWS: readonly Row[] = [...top, ...defaults, ...service, ...realServers];

function serviceOf(name: string): unknown {
  return (BASE.services as Record<string, unknown>)[name];
}

/** `base` with a row's values in it. */
export function changed(base: Conf, to: Row['to']): Conf {
  const copy = structuredClone(base);
  for (const [path, value] of Object.entries(to)) {
    const steps = path.startsWith('.') ? path.slice(1).split('.') : ['services', ...path.split('.')];
    const last = steps.pop() ?? '';
    let at = copy;
    for (const step of steps) {
      at[step] ??= {};
      at = at[step] as Conf;
    }
    if (value === undefined) delete at[last];
    else at[last] = structuredClone(value);
  }
  return copy;
}
