// SPDX-License-Identifier: MIT
// Valid configurations and their resolved form.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { formatAddress } from '../../../src/base/addresses.ts';
import {
  type Config,
  loadConfig,
  type RealServerSpec,
  type ServiceSpec,
  type Virtual,
} from '../../../src/config/index.ts';
import { vrrpInstances } from '../../../src/daemon/model/vrrp-instances.ts';

const dir = mkdtempSync(join(tmpdir(), 'lvsd-right-'));
after(() => rmSync(dir, { recursive: true, force: true }));
let count = 0;

/** Loads files by name, the first of which is the main one. */
function loadFiles(files: Record<string, string | Buffer>, node = 'elsewhere'): Config {
  const folder = join(dir, String(count++));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return loadConfig(join(folder, Object.keys(files)[0] ?? ''), { node });
}

/** The service `web` of these lines; `before` is the text before `services`. */
function web(lines: string, before = ''): ServiceSpec {
  const text = `version: 1\n${before}\nservices:\n  web:\n${lines.replace(/^/gm, '    ')}\n`;
  return loadFiles({ 'lvsd.yaml': text }).services.get('web') ?? assert.fail('no such service');
}

const usual = 'address: 203.0.113.10\nport: 80\nreal_servers: [10.0.0.2]\n';
const texts = (virtuals: readonly Virtual[]) =>
  virtuals.map(({ family, protocol, address, port, fwmark }) =>
    fwmark === 0 ? `${protocol} ${formatAddress(family, address)} ${port}` : `mark ${fwmark} ${family}`,
  );
const server = ({ family, address, port, weight, name, forward }: RealServerSpec) =>
  `${name} = ${formatAddress(family, address)} ${port} ${weight} ${forward.method}`;

test('the smallest configuration has every default', () => {
  const config = loadFiles({ 'lvsd.yaml': 'version: 1\nservices: {}\n' });
  assert.deepEqual(
    { ...config, files: [] },
    {
      files: [],
      warnings: [],
      manage: 'named',
      onStop: 'keep',
      timeouts: { tcp: undefined, tcpFin: undefined, udp: undefined },
      localAddresses: new Map(),
      services: new Map(),
      vrrp: new Map(),
      connectionSync: undefined,
      log: { level: 'info', format: 'text', levels: {} },
      checkConcurrency: 65536,
      synProxySecret: undefined,
      web: undefined,
      metrics: { detail: 'real_servers', maxSeries: 600_000, minInterval: 5000 },
      events: { keep: 32 << 20, directory: undefined },
      resync: 30_000,
    },
  );
  const { virtuals, realServers, ...rest } = web(usual);
  assert.deepEqual(texts(virtuals), ['tcp 203.0.113.10 80']);
  assert.deepEqual(rest, {
    name: 'web',
    device: undefined,
    scheduler: 'wlc',
    schedulerFlags: [],
    onePacket: false,
    persistence: undefined,
    synProxy: undefined,
    defence: undefined,
    localAddresses: undefined,
    establishedTimeout: undefined,
    quorum: 1,
    hysteresis: 0,
    sorryServer: undefined,
    onFailure: 'remove',
    hooks: undefined,
    drain: 0,
  });
  assert.deepEqual(realServers, [
    {
      name: '10.0.0.2',
      family: 2,
      address: Uint8Array.of(10, 0, 0, 2),
      port: 0,
      weight: 1,
      forward: { method: 'masquerade' },
      upperThreshold: 0,
      lowerThreshold: 0,
      check: undefined,
      moreChecks: [],
    },
  ]);
});

test('settings of the top level', () => {
  const config = loadFiles({
    'lvsd.yaml': `version: 1
services: {}
manage: all
on_stop: remove
resync: 1m
timeouts: { tcp: 15m, tcp_fin: 120s, udp: 1h }
checks: { concurrency: 7 }
log: { level: warn, format: json, levels: { health: debug } }`,
  });
  const { manage, onStop, resync, timeouts, checkConcurrency, log } = config;
  assert.deepEqual([manage, onStop, resync, checkConcurrency], ['all', 'remove', 60_000, 7]);
  assert.deepEqual(timeouts, { tcp: 900, tcpFin: 120, udp: 3600 });
  assert.deepEqual(log, { level: 'warn', format: 'json', levels: { health: 'debug' } });
});

test('a service with every key', () => {
  const spec = web(`address: 203.0.113.10
port: 8000
protocol: udp
device: lo
scheduler: sh
scheduler_flags: [sh-port, sh-fallback]
one_packet: true
persistence: { timeout: 1h, granularity: 24, engine: sip }
timeouts: { established: 15m }
quorum: 2
hysteresis: 1
sorry_server: 10.0.0.9:8080
on_failure: inhibit
drain: 90s
real_servers:
  - 10.0.0.2:8080
  - { address: 10.0.0.3, port: 8080, weight: 3, name: b, thresholds: { upper: 10, lower: 5 } }
  - { address: 2001:db8::4, forward: tunnel }`);
  assert.equal(spec.device, 'lo');
  assert.equal(spec.scheduler, 'sh');
  assert.deepEqual(spec.schedulerFlags, ['flag-1', 'flag-2']);
  assert.deepEqual(spec.persistence, { timeout: 3600, granularity: 24, engine: 'sip' });
  assert.deepEqual([spec.onePacket, spec.establishedTimeout], [true, 900]);
  assert.deepEqual([spec.quorum, spec.hysteresis, spec.onFailure, spec.drain], [2, 1, 'inhibit', 90_000]);
  assert.deepEqual(spec.sorryServer, {
    family: 2,
    address: Uint8Array.of(10, 0, 0, 9),
    port: 8080,
    forward: { method: 'masquerade' },
  });
  assert.deepEqual(spec.realServers.map(server), [
    '10.0.0.2:8080 = 10.0.0.2 8080 1 masquerade',
    'b = 10.0.0.3 8080 3 masquerade',
    '2001:db8::4 = 2001:db8::4 0 1 tunnel',
  ]);
  assert.deepEqual(
    spec.realServers.map(({ upperThreshold, lowerThreshold }) => [upperThreshold, lowerThreshold]),
    [
      [0, 0],
      [10, 5],
      [0, 0],
    ],
  );
});

for (const [title, lines, expected] of [
  [
    'a range of ports',
    'address: 203.0.113.10\nport: 8000-8002',
    ['8000', '8001', '8002'].map((port) => `tcp 203.0.113.10 ${port}`),
  ],
  [
    'two protocols',
    'address: 203.0.113.10\nport: 53\nprotocol: [udp, tcp]',
    ['udp 203.0.113.10 53', 'tcp 203.0.113.10 53'],
  ],
  ['IPv6', 'address: 2001:DB8:0::10\nport: 80\nforward: tunnel', ['tcp 2001:db8::10 80']],
  ['all ports', 'address: 203.0.113.10\nport: 0\npersistence: {}', ['tcp 203.0.113.10 0']],
  ['a firewall mark', 'fwmark: 7', ['mark 7 2']],
  ['a firewall mark in hexadecimal', 'fwmark: 0x10', ['mark 16 2']],
  ['a firewall mark and IPv6', 'fwmark: 7\nfamily: ipv6\nforward: tunnel', ['mark 7 10']],
] as const) {
  test(`virtual services: ${title}`, () => {
    assert.deepEqual(texts(web(`${lines}\nreal_servers: [10.0.0.2]`).virtuals), expected);
  });
}

test('a firewall mark has the family of its real servers', () => {
  assert.deepEqual(texts(web('fwmark: 7\nreal_servers: ["2001:db8::2"]').virtuals), ['mark 7 10']);
});

for (const [title, text, expected] of [
  ['nat is masquerade', 'nat', { method: 'masquerade' }],
  ['a method as a map', '{ method: direct }', { method: 'direct' }],
  ['a tunnel', 'tunnel', { method: 'tunnel', type: 'ipip', port: 0, checksum: 'none' }],
  [
    'gue',
    '{ method: tunnel, type: gue, port: 5555, checksum: remote }',
    { method: 'tunnel', type: 'gue', port: 5555, checksum: 'remote' },
  ],
  [
    'gre',
    '{ method: tunnel, type: gre, checksum: checksum }',
    { method: 'tunnel', type: 'gre', port: 0, checksum: 'checksum' },
  ],
] as const) {
  test(`forwarding: ${title}`, () => {
    assert.deepEqual(web(`${usual}forward: ${text}`).realServers[0]?.forward, expected);
  });
}

test('the secret of cookies is a file that only its user can read', () => {
  const folder = join(dir, 'secret');
  mkdirSync(folder);
  const path = join(folder, 'cookies');
  writeFileSync(path, '000102030405060708090a0b0c0d0e0f\n', { mode: 0o600 });
  const text = `version: 1\nsyn_proxy_secret: ${path}\nservices: {}\n`;
  assert.equal(loadFiles({ 'lvsd.yaml': text }).synProxySecret, path);
});

test('SYN proxy: off, on, and what clients are offered', () => {
  const before = 'local_addresses: { inner: { addresses: [10.31.3.101] } }';
  const proxy = (value: string) =>
    web(`${usual}forward: fullnat\nlocal_addresses: inner\nsyn_proxy: ${value}`, before).synProxy;
  assert.equal(proxy('false'), undefined);
  const defaults = { mss: undefined, windowScale: undefined, sack: undefined, timestamps: undefined, window: 2896 };
  assert.deepEqual(proxy('true'), defaults);
  assert.deepEqual(proxy('{}'), defaults);
  assert.deepEqual(proxy('{ mss: 1400, window_scale: none, sack: false, timestamps: false, window: 0 }'), {
    mss: 1400,
    windowScale: 'none',
    sack: false,
    timestamps: false,
    window: 0,
  });
});

test('the defence of a service: what it does, and a burst as large as the rate', () => {
  const defence = (value: string) => web(`${usual}defence: ${value}`).defence;
  assert.equal(defence('{}'), undefined);
  assert.equal(defence('{ drop_strays: false }'), undefined);
  const none = { dropStrays: false, dropFragments: false, synRate: 0, synBurst: 1 };
  assert.deepEqual(defence('{ drop_strays: true, drop_fragments: true }'), {
    ...none,
    dropStrays: true,
    dropFragments: true,
  });
  assert.deepEqual(defence('{ syn_rate: 5000 }'), { ...none, synRate: 5000, synBurst: 5000 });
  assert.deepEqual(defence('{ syn_rate: 5000, syn_burst: 1 }'), { ...none, synRate: 5000 });
});

test('pools: ranges and prefixes are expanded, and only fullnat has a pool', () => {
  const before = `local_addresses:
  inner: { device: eth1, addresses: [10.31.3.254-10.31.4.1, 10.31.5.0/30, 10.31.6.1], ports: 5000-6000 }
  outer: { addresses: [10.31.7.1] }`;
  const spec = web(`${usual}forward: fullnat\nlocal_addresses: inner`, before);
  const { addresses = [], device, ports } = spec.localAddresses ?? {};
  assert.deepEqual(
    addresses.map(({ family, address }) => formatAddress(family, address)),
    [
      ...['10.31.3.254', '10.31.3.255', '10.31.4.0', '10.31.4.1'],
      ...['10.31.5.0', '10.31.5.1', '10.31.5.2', '10.31.5.3', '10.31.6.1'],
    ],
  );
  assert.deepEqual([device, ports], ['eth1', { min: 5000, max: 6000 }]);
  const other = web(`${usual}forward: fullnat`, `${before}\ndefaults: { local_addresses: outer }`);
  assert.equal(other.localAddresses?.name, 'outer');
  const none = web(usual, `${before}\ndefaults: { local_addresses: outer }`);
  assert.equal(none.localAddresses, undefined, 'a default pool is only for services with fullnat');
});

test('keys of a service and of a real server override the defaults', () => {
  const before = `defaults:
  { scheduler: wrr, forward: direct, quorum: 2, on_failure: inhibit, drain: 1m, weight: 5, device: lo, protocol: udp }`;
  const spec = web(
    `address: 203.0.113.10\nport: 80\nscheduler: rr\nreal_servers: [10.0.0.2, { address: 10.0.0.3, weight: 1, forward: tunnel }]`,
    before,
  );
  assert.deepEqual([spec.scheduler, spec.quorum, spec.onFailure, spec.drain], ['rr', 2, 'inhibit', 60_000]);
  assert.deepEqual([spec.device, texts(spec.virtuals)], ['lo', ['udp 203.0.113.10 80']]);
  assert.deepEqual(spec.realServers.map(server), ['10.0.0.2 = 10.0.0.2 0 5 direct', '10.0.0.3 = 10.0.0.3 0 1 tunnel']);
});

/** The check of web's only real server. */
const checkOf = (check: string, defaults = '{}') =>
  web(`${usual}${check}`, `defaults: ${defaults}`).realServers[0]?.check;
const usualCheck = {
  ...{ interval: 2000, timeout: 1000, rise: 2, fall: 3, start: 'auto' },
  ...{ address: undefined, port: 0, bind: undefined, fwmark: 0 },
};
const usualHttp = {
  ...usualCheck,
  ...{ type: 'http', method: 'GET', path: '/', host: undefined, headers: [], status: [[200, 299]], body: undefined },
  tls: undefined,
};

test('checks without defaults', () => {
  assert.equal(checkOf(''), undefined);
  assert.equal(checkOf('check: none', '{ check: { type: tcp } }'), undefined);
  assert.deepEqual(checkOf('check: { type: tcp }'), { type: 'tcp', ...usualCheck });
  assert.deepEqual(checkOf('check: { type: http }'), usualHttp);
  const tls = { serverName: undefined, verify: true, ca: undefined };
  assert.deepEqual(checkOf('check: { type: https }'), { ...usualHttp, type: 'https', tls });
  assert.deepEqual(checkOf('check: { type: exec, command: [/bin/true, -x], user: nobody }'), {
    ...{ type: 'exec', command: ['/bin/true', '-x'], user: 'nobody' },
    ...usualCheck,
  });
  const check = checkOf(`check:
  type: https
  interval: 500ms
  rise: 1
  fall: 1
  start: down
  address: 2001:DB8::1
  port: 8080
  bind: "2001:db8:0::2"
  fwmark: 9
  method: POST
  path: /a?b
  host: shop.example:8443
  headers: { X-One: a, X-Two: "2" }
  status: [200, 300-399]
  body: { matches: "^ok" }
  tls: { server_name: a.example, verify: false }`);
  assert.deepEqual(check, {
    type: 'https',
    ...{ interval: 500, timeout: 500, rise: 1, fall: 1, start: 'down' },
    ...{ address: '2001:db8::1', port: 8080, bind: '2001:db8::2', fwmark: 9 },
    ...{ method: 'POST', path: '/a?b', host: 'shop.example:8443' },
    headers: [
      ['X-One', 'a'],
      ['X-Two', '2'],
    ],
    status: [
      [200, 200],
      [300, 399],
    ],
    body: { matches: '^ok' },
    tls: { serverName: 'a.example', verify: false, ca: undefined },
  });
});

test('hooks of a service replace those of the defaults', () => {
  const hooks = (text: string) =>
    web(`${usual}${text}`, 'defaults: { hooks: { down: [/bin/true, d], timeout: 30s } }').hooks;
  const none = { up: undefined, down: undefined, quorum: undefined, user: undefined };
  assert.deepEqual(hooks(''), { ...none, down: ['/bin/true', 'd'], timeout: 30_000 });
  assert.deepEqual(hooks('hooks: { quorum: [/bin/true], user: nobody }'), {
    ...none,
    ...{ quorum: ['/bin/true'], user: 'nobody', timeout: 10_000 },
  });
  assert.equal(hooks('hooks: {}'), undefined);
});

test('further checks are merged with the one beside them', () => {
  const servers = 'real_servers: [10.0.0.2, { address: 10.0.0.3, check: { type: exec, command: [/bin/true] } }, ';
  const { realServers } = web(`address: 203.0.113.10
port: 80
check: { type: http, path: /a, interval: 5s }
checks: [{ path: /b }, { type: tcp, port: 22 }]
${servers}{ address: 10.0.0.4, checks: [] }, { address: 10.0.0.5, check: { path: /d }, checks: [{ method: GET }] }]`);
  const shown = realServers.map(({ check, moreChecks }) =>
    [...(check ? [check] : []), ...moreChecks].map((one) =>
      [one.type, 'path' in one ? one.path : one.port, one.interval].join(' '),
    ),
  );
  assert.deepEqual(shown, [
    ['http /a 5000', 'http /b 5000', 'tcp 22 2000'],
    ['exec 0 2000', 'http /b 5000', 'tcp 22 2000'],
    ['http /a 5000'],
    ['http /d 5000', 'http /d 5000'],
  ]);
  // Real servers that inherit them share the objects.
  assert.equal(realServers[0]?.moreChecks, realServers[1]?.moreChecks);
});

test('a check is merged with an inherited one of a related type, and replaces others', () => {
  const http = '{ check: { type: http, path: /healthz, interval: 5s, headers: { A: a } } }';
  assert.deepEqual(checkOf('', http), { ...usualHttp, path: '/healthz', interval: 5000, headers: [['A', 'a']] });
  assert.deepEqual(checkOf('check: { interval: 1s }', http), {
    ...{ ...usualHttp, path: '/healthz', interval: 1000 },
    headers: [['A', 'a']],
  });
  assert.deepEqual(checkOf('check: { headers: { B: b } }', http), {
    ...{ ...usualHttp, path: '/healthz', interval: 5000 },
    headers: [['B', 'b']],
  });
  const tls = { serverName: undefined, verify: true, ca: undefined };
  assert.deepEqual(checkOf('check: { type: https }', http), {
    ...{ ...usualHttp, type: 'https', path: '/healthz', interval: 5000, headers: [['A', 'a']] },
    tls,
  });
  assert.deepEqual(checkOf('check: { type: tcp }', http), { type: 'tcp', ...usualCheck });
  const https = '{ check: { type: https, path: /x, tls: { verify: false } } }';
  assert.deepEqual(checkOf('check: { type: http }', https), { ...usualHttp, path: '/x' });
});

test('a real server’s check is merged with its service’s', () => {
  const spec = web(`address: 203.0.113.10
port: 80
check: { type: http, path: /a }
real_servers:
  - 10.0.0.2
  - 10.0.0.3
  - { address: 10.0.0.4, check: { fall: 1 } }
  - { address: 10.0.0.5, check: none }`);
  const [a, b, c, d] = spec.realServers.map(({ check }) => check);
  assert.deepEqual(a, { ...usualHttp, path: '/a' });
  assert.equal(a, b, 'equal checks share one object');
  assert.deepEqual(c, { ...usualHttp, path: '/a', fall: 1 });
  assert.equal(d, undefined);
});

test('YAML: anchors, merge keys, other bases, JSON, byte order marks and line ends', () => {
  const config = loadFiles({
    'lvsd.yaml': `version: 1
services:
  a: &a { address: 203.0.113.10, port: 0x50, real_servers: &servers [10.0.0.2, 10.0.0.3] }
  b: { <<: *a, port: 81 }
  c: { port: 82, <<: [{ port: 1, quorum: 2 }, *a, { quorum: 1 }], }
  d: { address: !!str 203.0.113.10, port: 83, real_servers: *servers }`,
  });
  const all = [...config.services.values()];
  assert.deepEqual(
    all.map(({ name, virtuals, quorum, realServers }) => [name, virtuals[0]?.port, quorum, realServers.length]),
    [
      ['a', 80, 1, 2],
      ['b', 81, 1, 2],
      ['c', 82, 2, 2],
      ['d', 83, 1, 2],
    ],
  );
  const json = { version: 1, services: { web: { address: '203.0.113.10', port: 80, real_servers: [] } } };
  for (const text of [JSON.stringify(json), JSON.stringify(json, null, '\t')])
    assert.equal(loadFiles({ 'lvsd.json': text }).services.size, 1);
  const crlf = '\ufeffversion: 1\r\nservices:\r\n  web: { address: 203.0.113.10, port: 80, real_servers: [] }\r\n';
  assert.equal(loadFiles({ 'lvsd.yaml': crlf }).services.size, 1);
});

test('includes: patterns in sorted order, and includes of included files', () => {
  const one = (port: number) => `{ address: 203.0.113.10, port: ${port}, real_servers: [] }`;
  const config = loadFiles({
    'lvsd.yaml': `version: 1\ninclude: [conf.d/*.yaml, "ot?er/[a-c].yaml"]\nservices: { main: ${one(1)} }`,
    'conf.d/20.yaml': `services: { second: ${one(2)} }`,
    'conf.d/10.yaml': `version: 1\ninclude: [deep/x.yaml]\nservices:\n  first: ${one(3)}`,
    'conf.d/.hidden.yaml': 'not: read',
    'conf.d/notes.txt': 'not read',
    'conf.d/deep/x.yaml': `local_addresses: { inner: { addresses: [10.31.3.101] } }`,
    'other/b.yaml': `services: { third: ${one(4)} }`,
    'other/d.yaml': 'not: read',
  });
  assert.deepEqual([...config.services.keys()], ['main', 'first', 'second', 'third']);
  assert.deepEqual([...config.localAddresses.keys()], ['inner']);
  assert.deepEqual(
    config.files.map((file) => file.replace(/^.*\/lvsd-right-\w+\/\d+\//, '')),
    ['lvsd.yaml', 'conf.d/10.yaml', 'conf.d/deep/x.yaml', 'conf.d/20.yaml', 'other/b.yaml'],
  );
});

test('a symbolic link is followed', () => {
  const folder = join(dir, String(count++));
  mkdirSync(folder);
  writeFileSync(join(folder, 'real.yaml'), 'version: 1\nservices: {}\n');
  symlinkSync('real.yaml', join(folder, 'lvsd.yaml'));
  assert.equal(loadConfig(join(folder, 'lvsd.yaml')).services.size, 0);
});

test('nodes: maps are merged and other values replaced, only on that node', () => {
  const text = `version: 1
log: { level: warn, format: json }
services:
  web: { address: 203.0.113.10, port: 80, quorum: 1, real_servers: [10.0.0.2, 10.0.0.3] }
nodes:
  lb1: { log: { level: debug }, services: { web: { real_servers: [10.0.0.4] } } }
  lb2.example: { services: { own: { address: 203.0.113.11, port: 80, real_servers: [] } } }`;
  const on = (node: string) => loadFiles({ 'lvsd.yaml': text }, node);
  const addresses = (config: Config) => config.services.get('web')?.realServers.map(({ name }) => name);
  assert.deepEqual(addresses(on('lb1')), ['10.0.0.4']);
  assert.deepEqual(on('lb1').log, { level: 'debug', format: 'json', levels: {} });
  assert.deepEqual(addresses(on('lb1.example')), ['10.0.0.4'], 'the name without its domain');
  assert.deepEqual(addresses(on('lb2')), ['10.0.0.2', '10.0.0.3']);
  assert.deepEqual([...on('lb2.example').services.keys()], ['web', 'own']);
  assert.deepEqual(on('other').log.level, 'warn');
});

test('preemption waits for connections where connection sync follows the instance, for checks where it tracks services', () => {
  const instance = (id: number, more = '') =>
    `{ interface: eth0, virtual_router_id: ${id}, addresses: [10.99.0.${id}]${more} }`;
  const config = loadFiles({
    'lvsd.yaml': `version: 1
services:
  shop: { address: 203.0.113.10, port: 80, real_servers: [10.0.0.2] }
vrrp:
  edge: ${instance(1, ', preempt: { delay: 45s }')}
  tracks: ${instance(2, ', track: { services: [shop] }')}
  other: ${instance(3)}
  asked: ${instance(4, ', preempt: { after: synced, delay: 5s }')}
connection_sync: { device: eth1, follow: edge }
`,
  });
  const effect = vrrpInstances(config).map(({ settings, waitsForChecks }) => [
    settings.preemptDelay / 1e6,
    waitsForChecks,
  ]);
  assert.deepEqual(effect, [
    [45, true],
    [0, true],
    [0, false],
    [30, true],
  ]);
});

test('what is valid, but probably not meant, is a warning with its place', () => {
  const text = `version: 1
services:
  shop: { address: 203.0.113.10, port: 80, real_servers: [10.0.0.2] }
vrrp:
  edge:
    interface: eth0
    virtual_router_id: 51
    advert_interval: 20ms
    addresses: [10.99.0.10]
    track: { services: [shop], interfaces: [{ interface: eth1, weight: -60 }] }
  six:
    interface: eth0
    virtual_router_id: 51
    addresses: [2001:db8::1]
nodes:
  lb1: {}
  lb2: { vrrp: { six: { priority: 150 } } }
  lb3: { vrrp: { edge: { priority: 200, advert_interval: 30ms } } }
`;
  const folder = join(dir, String(count++));
  mkdirSync(folder);
  const file = join(folder, 'lvsd.yaml');
  writeFileSync(file, text);
  const { warnings } = loadConfig(file, { node: 'lb1', everyNode: true });
  assert.deepEqual(
    warnings.map((line) => line.replace(`${file}:`, '')),
    [
      '8:22: vrrp.edge.advert_interval: 20ms needs a machine that is never busy for as long; from 50ms on is safe with SCHED_RR',
      '10:5: vrrp.edge.track: all weights together lower the priority 100 to -10; it stays at 1, so that nodes with different faults can have one priority',
      '14:17: vrrp.six.addresses[0]: the first address of IPv6 should be a link-local one (RFC 9568 section 5.2.9); keepalived accepts others too',
      'on lb3: 18:58: vrrp.edge.advert_interval: 30ms needs a machine that is never busy for as long; from 50ms on is safe with SCHED_RR',
      'vrrp.edge.priority: lb1 and lb2 have priority 100; give each node one of its own, or addresses decide which node is master',
      'vrrp.six.priority: lb1 and lb3 have priority 100; give each node one of its own, or addresses decide which node is master',
    ],
  );
  assert.equal(loadConfig(file, { node: 'lb1' }).warnings.length, 3);
});

test('connection sync and pools that follow a virtual router', () => {
  const edge = 'vrrp: { edge: { interface: eth0, virtual_router_id: 51, addresses: [10.99.0.10] } }';
  const load = (lines: string) => loadFiles({ 'lvsd.yaml': `version: 1\nservices: {}\n${edge}\n${lines}\n` });
  assert.deepEqual(load('connection_sync: { device: eth1 }').connectionSync, {
    device: 'eth1',
    id: 0,
    follow: undefined,
  });
  const { connectionSync, localAddresses } = load(
    'connection_sync: { device: eth1, id: 51, follow: edge }\nlocal_addresses: { inner: { device: eth1, follow: edge, addresses: [10.31.3.101] } }',
  );
  assert.deepEqual(connectionSync, { device: 'eth1', id: 51, follow: 'edge' });
  assert.equal(localAddresses.get('inner')?.follow, 'edge');
});

test('a node that an operator names must be in the file; the name of the host need not', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lvsd-node-'));
  const file = join(dir, 'lvsd.yaml');
  writeFileSync(file, 'version: 1\nservices: {}\nnodes: { lb1: {}, lb2: {} }\n');
  loadConfig(file, { node: 'lb9' });
  loadConfig(file, { node: 'lb2', requireNode: true });
  assert.throws(
    () => loadConfig(file, { node: 'lb9', requireNode: true }),
    /:3:1: nodes: found no entry for "lb9", the name given by --node; allowed: lb1 or lb2$/,
  );
  rmSync(dir, { recursive: true });
});
