// SPDX-License-Identifier: MIT
// The daemon's part of metrics at the host's speed: 10,000 services with 4 real servers each, about 2,000 checks a second on
// loopback, and how late the daemon's event loop is and how soon failures are noticed, without scrapers of lvsd web and
// beside two of them every 5 s. Sampler, statistics, health worker, control socket, state file and lvsd web are the real
// ones; the host has no IPVS, so that the kernel's answers are bytes made before, each after the time that the kernel takes
// for it (`reading` has the figure, `metrics` the real kernel at the speed of User-mode Linux). `npm run bench -- loop`.
// Writes $LAB_OUT/loop.json.
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { until } from '../../lab/topology.ts';
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
import { beginningOfInterval, failingServices } from './failing.ts';
import { spread } from './figures.ts';
import { kernelAnswers } from './kernel-answers.ts';
import { cpuSeconds } from './versus/processes.ts';
import { lvsdFile } from './versus/setups.ts';
import { services } from './versus/site.ts';
import { mustBeWhole, scrape, startWeb } from './web.ts';

const size = Number(process.env.BENCH_SERVICES ?? 10_000);
/** Rounds of failures without and with scrapers each. */
const rounds = Number(process.env.BENCH_ROUNDS ?? 8);
const SERVERS = 4;
const CHECKS = 2000;
const [PORT, FAILING_PORT] = [18_080, 18_081];
/** Milliseconds of the kernel for the real servers of a service (docs/benchmarks.md). */
const KERNEL = Number(process.env.BENCH_KERNEL ?? 0.03);
/** Milliseconds between looks at the loop, and from which delay on one counts. */
const [LOOK, LATE, TOO_LATE] = [5, 20, 50];

const folder = mkdtempSync(join(tmpdir(), 'lvsd-loop-'));
const listen = (port: number) => spawn(process.env.BENCH_LISTENER ?? '', [String(port)], { stdio: 'ignore' });
/** Their real servers are apart from all others. */
const failing = failingServices('10.98.0.1', '127.200.0', FAILING_PORT);
const isFailing = (id: string) => id.includes('127.200.0.');

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
  lvsdFile({
    pace: { interval: (size * SERVERS) / CHECKS, timeout: 3, failures: 3 },
    services: [...setup(), ...failing],
  }),
);
const config = loadConfig(file);
const listener = listen(PORT);
let failingListener = listen(FAILING_PORT);
const list = virtualServices(config);
const runtime = new RuntimeState();
runtime.configure(list, 0);
const monitor = new HealthMonitor({ concurrency: 1000, log: SILENT_LOG });
monitor.configure(targets(list, () => undefined));
runtime.updateQuorums();

const reader = kernelAnswers(list, KERNEL);
const sampler = new Sampler(reader);
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
  loader: { error: undefined, loadedAt: 0, file, digest: '', reloads: { done: 0, refused: 0, rejected: 0 } },
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
process.on('exit', () => {
  for (const child of [web.child, listener, failingListener]) child.kill();
});

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

let collections: number[] = [];
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) collections.push(duration);
}).observe({ entryTypes: ['gc'] });

/** The delays since the last call. */
function found(what: string) {
  const [taken, pauses] = [delays, collections];
  [delays, collections] = [[], []];
  const most = (values: number[]) => Math.max(0, ...values);
  return [
    {
      what: `${what}: event loop late, longest; 0: never more than ${LATE}`,
      figure: most(taken.map(({ late }) => late)),
      unit: 'ms',
    },
    { what: `${what}: of one delay, longest on the CPU`, figure: most(taken.map(({ busy }) => busy)), unit: 'ms' },
    { what: `${what}: garbage collection, longest`, figure: most(pauses), unit: 'ms' },
    {
      what: `${what}: times late by more than ${TOO_LATE} ms`,
      figure: taken.filter(({ late }) => late > TOO_LATE).length,
      unit: '',
    },
  ];
}

/** Seconds from a failure of all failing real servers until the daemon knows of each. */
async function detect(): Promise<number[]> {
  const count = failing.length * SERVERS;
  const [down, up]: [number[], number[]] = [[], []];
  await beginningOfInterval();
  const began = performance.now();
  const end = monitor.onTransition((transition) => {
    if (isFailing(transition.id)) (transition.up ? up : down).push((performance.now() - began) / 1000);
  });
  failingListener.kill('SIGKILL');
  await until('the failures to be noticed', () => down.length === count, 60_000);
  failingListener = listen(FAILING_PORT);
  await until('the recoveries to be noticed', () => up.length === count, 60_000);
  end();
  return down;
}

/** Rounds of failures: how soon they are noticed, and the checks a second meanwhile. */
async function failures(what: string): Promise<{ seconds: number[]; checks: number }> {
  const probes = () => monitor.numbers.durations.reduce((sum, [, { count }]) => sum + count, 0);
  const [began, before] = [performance.now(), probes()];
  const seconds: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    seconds.push(...(await detect()));
    process.stderr.write(`bench: loop: ${what}: round ${round} of ${rounds}\n`);
    // At another place between two scrapes each time.
    await sleep(3000 + 700 * (round % 7));
  }
  return { seconds, checks: (probes() - before) / ((performance.now() - began) / 1000) };
}

const gzip = { 'Accept-Encoding': 'gzip' };
// Every target has a result, and all code has run.
await sleep((1000 * size * SERVERS) / CHECKS);
for (let i = 0; i < 3; i++) await scrape(web, gzip);
await detect();
[delays, collections] = [[], []];
const alone = await failures('without scrapers');
const lateAlone = found('without scrapers');

const cpuOf = () => ({ daemon: cpuSeconds([process.pid]), web: cpuSeconds([web.pid]) });
const cpu = cpuOf();
const durations: number[] = [];
let scraping = true;
/** As Prometheus does it, in a process of its own: this one is the daemon. */
const words = ['-sS', '-f', '--compressed', '-m', '30', '-o', '/dev/null', '-w', '%{time_total} %{size_download}'];
const scraper = async (offset: number) => {
  await sleep(offset);
  while (scraping) {
    const next = sleep(5000);
    const { stdout } = await promisify(execFile)('curl', [...words, `http://127.0.0.1:${web.port}/metrics`]);
    const [duration = Number.NaN, bytes = 0] = stdout.split(' ').map(Number);
    mustBeWhole(bytes);
    durations.push(duration);
    await next;
  }
};
const scrapers = Promise.all([scraper(0), scraper(2500)]);
const beside = await failures('beside scrapers');
scraping = false;
await scrapers;
const each = (of: 'daemon' | 'web') => (cpuOf()[of] - cpu[of]) / durations.length;
const cost = { daemon: each('daemon'), web: each('web') };
const lateBeside = found('beside scrapers');
for (let i = 0; i < 3; i++) {
  saver.request();
  await sleep(2000);
}
durations.sort((a, b) => a - b);
const detection = { alone: spread(alone.seconds).median, beside: spread(beside.seconds).median };
const results = [
  { what: 'scrapes', figure: durations.length, unit: '' },
  { what: 'a scrape, median', figure: durations[durations.length >> 1] ?? Number.NaN, unit: 's' },
  { what: 'a scrape, longest', figure: durations.at(-1) ?? Number.NaN, unit: 's' },
  { what: 'CPU of the daemon for a scrape, with its part of a reading and of checks', figure: cost.daemon, unit: 's' },
  { what: 'CPU of lvsd web for a scrape', figure: cost.web, unit: 's' },
  { what: 'checks a second, without scrapers', figure: alone.checks, unit: '' },
  { what: 'checks a second, beside scrapers', figure: beside.checks, unit: '' },
  { what: 'failures, without scrapers and beside them each', figure: alone.seconds.length, unit: '' },
  { what: 'detection without scrapers, median', figure: detection.alone, unit: 's' },
  { what: 'detection beside scrapers, median', figure: detection.beside, unit: 's' },
  { what: 'detection beside scrapers / without', figure: detection.beside / detection.alone, unit: '' },
  ...lateAlone,
  ...lateBeside,
  ...found('three writes of the state file'),
];
writeFileSync(join(process.env.LAB_OUT ?? '.', 'loop.json'), `${JSON.stringify(results, null, 2)}\n`);
await saver.close();
await monitor.stop();
rmSync(folder, { recursive: true });
process.exit(0);
