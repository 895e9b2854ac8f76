// SPDX-License-Identifier: MIT
// The daemon's part of metrics at the host's speed: 10,000 services with 4 real servers each, about 2,000 checks a second on
// loopback, two scrapers of lvsd web every 5 s, and how late its event loop is meanwhile. Sampler, statistics, health worker,
// control socket, state file and lvsd web are the real ones; the kernel's answers are bytes made before, because the host has
// no IPVS (`metrics` has it, at the speed of User-mode Linux). `npm run bench -- loop`. Writes $LAB_OUT/loop.json.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventLoopLag } from '../../src/base/event-loop-lag.ts';
import { SILENT_LOG } from '../../src/base/log.ts';
import { loadConfig } from '../../src/config/load.ts';
import { EventLog } from '../../src/control/events/log.ts';
import { READ_ONLY } from '../../src/control/methods.ts';
import { ControlServer, type Handlers } from '../../src/control/server.ts';
import { Sampler } from '../../src/daemon/control/sampler.ts';
import { type StatsParts, stats } from '../../src/daemon/control/stats.ts';
import { RuntimeState } from '../../src/daemon/model/runtime-state.ts';
import { targets } from '../../src/daemon/model/targets.ts';
import { virtualServices } from '../../src/daemon/model/virtual-services.ts';
import { ReconcileCounts } from '../../src/daemon/reconcile/counts.ts';
import { StateSaver } from '../../src/daemon/state/saver.ts';
import { HealthMonitor } from '../../src/health/monitor.ts';
import { type DestinationConfig, type Ipvs, type ServiceConfig, serviceKeyText } from '../../src/ipvs/index.ts';
import { AttributeReader } from '../../src/netlink/index.ts';
import { attr, be16, nest, u16, u32, u64, zeros } from '../support/netlink-bytes.ts';
import { cpuSeconds } from './versus/processes.ts';
import { lvsdFile } from './versus/setups.ts';
import { services } from './versus/site.ts';
import { scrape, startWeb } from './web.ts';

const size = Number(process.env.BENCH_SERVICES ?? 10_000);
const seconds = Number(process.env.BENCH_SECONDS ?? 60);
const SERVERS = 4;
const CHECKS = 2000;
const PORT = 18_080;
/** Milliseconds between looks at the loop, and from which delay on one counts. */
const [LOOK, LATE, TOO_LATE] = [5, 20, 50];

const folder = mkdtempSync(join(tmpdir(), 'lvsd-loop-'));
const listener = spawn(process.env.BENCH_LISTENER ?? '', [String(PORT)], { stdio: 'ignore' });

/** Each real server has an address of its own on loopback. */
function setup() {
  const address = (n: number) => `127.${1 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`;
  return services(size, SERVERS, { type: 'tcp' }).map((one, i) => ({
    ...one,
    servers: one.servers.map((server, j) => ({ ...server, port: PORT, address: address(SERVERS * i + j) })),
  }));
}

const file = join(folder, 'lvsd.yaml');
writeFileSync(
  file,
  lvsdFile({ pace: { interval: (size * SERVERS) / CHECKS, timeout: 3, failures: 3 }, services: setup() }),
);
const config = loadConfig(file);
const list = virtualServices(config);
const runtime = new RuntimeState();
runtime.configure(list, 0);
const monitor = new HealthMonitor({ concurrency: 1000, log: SILENT_LOG });
monitor.configure(targets(list, () => undefined));
runtime.updateQuorums();

/** The kernel's messages, in the layout of include/uapi/linux/ip_vs.h. */
const counters = nest(12, ...Array.from({ length: 10 }, (_, k) => attr(k + 1, u64(BigInt(1e6 * (k + 1))))));
const serviceMessage = ({ address, port }: ServiceConfig) =>
  Buffer.from(
    nest(
      1,
      ...[attr(1, u16(2)), attr(2, u16(6)), attr(3, [...address, ...zeros(12)]), attr(4, be16(port))],
      ...[attr(7, u32(0), u32(0)), counters],
    ),
  );
const destinationMessage = ({ address }: DestinationConfig) =>
  Buffer.from(
    nest(
      2,
      ...[attr(1, [...address, ...zeros(12)]), attr(2, be16(PORT)), attr(3, u32(0)), attr(4, u32(1))],
      ...[5, 6, 9].map((kind) => attr(kind, u32(0))),
      ...[attr(7, u32(5)), attr(8, u32(6)), counters, attr(11, u16(2))],
    ),
  );
const serviceBytes = list.map(({ config: service }) => serviceMessage(service));
const destinationBytes = new Map(
  list.map((one) => [one.key, one.realServers.map((server) => destinationMessage(server.destination))]),
);
const read = (bytes: Buffer) => new AttributeReader(bytes, 0, bytes.length);
const reader: Partial<Ipvs> = {
  features: async () => new Set(),
  serviceStatistics: async (table) => {
    for (const bytes of serviceBytes) table.readService(read(bytes));
  },
  destinationStatistics: async (service, table) => {
    const key = serviceKeyText(service);
    for (const bytes of destinationBytes.get(key) ?? []) table.readDestination(read(bytes), key, 2);
  },
  localAddresses: async () => [],
  info: async () => ({ features: new Set() }) as unknown as Awaited<ReturnType<Ipvs['info']>>,
  daemons: async () => [],
};
const sampler = new Sampler(reader as Ipvs);
const reconciler = { backoff: { failures: new Map() }, paused: false, counts: new ReconcileCounts() };
const daemon = {
  ...{ config, runtime, reconciler, sysctls: { changed: [] } },
  owned: new Set(list.map(({ key }) => key)),
} as unknown as StatsParts['daemon'];
const events = new EventLog();
const parts = {
  ...{ daemon, kernel: { reader }, sampler, events, monitor, hooks: undefined, lag: new EventLoopLag() },
  health: () => monitor.states(),
  vrrp: { numbers: async () => ({ instances: [], lateness: [], transitions: [], pid: undefined, restarts: 0 }) },
  loader: { error: undefined, loadedAt: 0, file, digest: '', reloads: {} },
  logLinesDropped: () => 0,
  controlClients: () => ({}),
} as unknown as StatsParts;
const saver = new StateSaver({
  path: join(folder, 'state.json'),
  reporter: { log: (...words: unknown[]) => process.stderr.write(`${words.join(' ')}\n`) } as never,
  daemon: () => daemon,
  states: () => monitor.states(),
  health: new Map(),
});
const socket = join(folder, 'read.sock');
const handlers: Partial<Handlers> = {
  stats: (params, _peer, notify) => stats(parts, params, notify),
  'config.summary': (() => ({})) as never,
};
new ControlServer({ path: socket, handlers: handlers as Handlers, events, log: SILENT_LOG, methods: READ_ONLY });
const web = await startWeb(socket);

/** Milliseconds that this thread has had a CPU. */
const used = () => Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1').split(' ')[0]) / 1e6;
let delays: { late: number; busy: number }[] = [];
let [before, usedBefore] = [performance.now(), used()];
setInterval(() => {
  const [now, usedNow] = [performance.now(), used()];
  const late = now - before - LOOK;
  if (late > LATE) delays.push({ late, busy: usedNow - usedBefore });
  [before, usedBefore] = [now, usedNow];
}, LOOK).unref();

/** The delays since the last call. */
function found(what: string) {
  const taken = delays;
  delays = [];
  const most = (values: number[]) => Math.max(0, ...values);
  return [
    {
      what: `${what}: event loop late, longest; 0: never more than ${LATE}`,
      figure: most(taken.map(({ late }) => late)),
      unit: 'ms',
    },
    { what: `${what}: of one delay, longest on the CPU`, figure: most(taken.map(({ busy }) => busy)), unit: 'ms' },
    {
      what: `${what}: times late by more than ${TOO_LATE} ms`,
      figure: taken.filter(({ late }) => late > TOO_LATE).length,
      unit: '',
    },
  ];
}

const gzip = { 'Accept-Encoding': 'gzip' };
// Every target has a result, and all code has run.
await sleep((1000 * size * SERVERS) / CHECKS);
for (let i = 0; i < 3; i++) await scrape(web, gzip);
delays = [];
const probes = () => monitor.numbers.durations.reduce((sum, [, { count }]) => sum + count, 0);
const [began, probesBefore] = [performance.now(), probes()];
const cpu = { daemon: cpuSeconds([process.pid]), web: cpuSeconds([web.pid]) };
const durations: number[] = [];
const end = performance.now() + 1000 * seconds;
const scraper = async (offset: number) => {
  await sleep(offset);
  while (performance.now() < end) {
    const next = sleep(5000);
    durations.push((await scrape(web, gzip)).seconds);
    await next;
  }
};
await Promise.all([scraper(0), scraper(2500)]);
const each = (now: number, then: number) => (now - then) / durations.length;
const cost = { daemon: each(cpuSeconds([process.pid]), cpu.daemon), web: each(cpuSeconds([web.pid]), cpu.web) };
const checks = (probes() - probesBefore) / ((performance.now() - began) / 1000);
const scraping = found('scrapes');
for (let i = 0; i < 3; i++) {
  saver.request();
  await sleep(2000);
}
durations.sort((a, b) => a - b);
const results = [
  { what: 'scrapes', figure: durations.length, unit: '' },
  { what: 'a scrape, median', figure: durations[durations.length >> 1] ?? Number.NaN, unit: 's' },
  { what: 'a scrape, longest', figure: durations.at(-1) ?? Number.NaN, unit: 's' },
  { what: 'CPU of the daemon for a scrape, with its part of a reading and of checks', figure: cost.daemon, unit: 's' },
  { what: 'CPU of lvsd web for a scrape', figure: cost.web, unit: 's' },
  { what: 'checks a second', figure: checks, unit: '' },
  ...scraping,
  ...found('three writes of the state file'),
];
writeFileSync(join(process.env.LAB_OUT ?? '.', 'loop.json'), `${JSON.stringify(results, null, 2)}\n`);
await saver.close();
web.child.kill();
listener.kill();
await monitor.stop();
rmSync(folder, { recursive: true });
process.exit(0);
