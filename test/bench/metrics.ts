// SPDX-License-Identifier: MIT
// Runs in the lab: what metrics of services with 4 real servers cost the daemon, the kernel and lvsd web while two scrapers
// ask every 5 s beside checks, and whether failures are detected later for it. By default a tenth of 10,000 services and
// 2,000 checks a second: User-mode Linux has one CPU.
// `npm run bench -- metrics`. Writes $LAB_OUT/metrics.json.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../lab/topology.ts';
import { Sampler } from '../../src/daemon/control/sampler.ts';
import { serviceKeyText } from '../../src/ipvs/index.ts';
import { beginningOfInterval, failingServices } from './failing.ts';
import { spread } from './figures.ts';
import { Daemon } from './versus/daemons.ts';
import { keyOf, openTable, untilService } from './versus/kernel.ts';
import { cpuSeconds, family } from './versus/processes.ts';
import type { Setup, SetupService } from './versus/setups.ts';
import { services, site, startListener } from './versus/site.ts';

const size = Number(process.env.BENCH_SERVICES ?? 1000);
const rate = Number(process.env.BENCH_CHECKS ?? 200);
/** Rounds of failures without and with scrapers each. */
const rounds = Number(process.env.BENCH_ROUNDS ?? 2);
const SERVERS = 4;
const PATIENCE = 600;
const say = (text: string) => process.stderr.write(`bench: metrics: ${text}\n`);

/** Seconds. */
const pace = { interval: (size * SERVERS) / rate, timeout: 3, failures: 3 };
const failing = failingServices('10.98.0.1', '10.63.0', 80);
const fallen = failing.flatMap((service) => service.servers);
const FAILURE = 'unreachable 10.63.0.0/24 table local';

const { balancer, servers } = site();
const listener = startListener(servers);
const table = openTable(balancer);
const setup: Setup = { pace, services: [...services(size, SERVERS, { type: 'tcp' }), ...failing] };
const daemon = new Daemon('lvsd', balancer);
daemon.write(setup);
const stretches = '/run/bench-lvsd/stretches';
const preload = join(process.env.BENCH_TOP ?? '.', 'test/bench/versus/loop-stretches.cjs');
writeFileSync(stretches, '');
const start = performance.now();
daemon.start({
  BENCH_STRETCHES: stretches,
  NODE_OPTIONS: `--require ${preload}`,
});
await untilService(table, setup.services.at(-1) as SetupService, (there) => there.length === SERVERS, {
  start,
  patience: PATIENCE,
  check: () => daemon.mustRun(),
});
say(`${size} services with ${SERVERS} real servers after ${((performance.now() - start) / 1000).toFixed(0)} s`);
// Every target has been probed, and V8 has compiled what runs often.
await sleep(2 * pace.interval * 1000);
const web = balancer.spawn(['lvsd', 'web', '--listen', '127.0.0.1:5873', '--socket', '/run/bench-lvsd/socket']);
await until('lvsd web', () => web.stderr().includes('listening'), 60_000);
const webPid = web.child.pid ?? 0;

/** Fetches with gzip in the balancer, as two Prometheus servers would. */
const fetch = async () => {
  const began = performance.now();
  const url = 'http://127.0.0.1:5873/metrics';
  const words = ['curl', '-sS', '--compressed', '-m', '120', '-o', '/run/bench-metrics', '-w', '%{http_code}', url];
  const { stdout } = await balancer.exec(words, { accept: 'any', timeout: 150_000 });
  return stdout === '200' ? (performance.now() - began) / 1000 : undefined;
};

/** Connections that the real servers have accepted so far. */
function accepted(): number {
  const [names = '', values = ''] = servers
    .run(['cat', '/proc/net/snmp'])
    .stdout.split('\n')
    .filter((line) => line.startsWith('Tcp:'));
  return Number(values.split(' ')[names.split(' ').indexOf('PassiveOpens')]);
}

/** Seconds until each failing real server is out of the table, in their order. */
async function detect(): Promise<number[]> {
  const out = new Map<string, number>();
  await beginningOfInterval();
  const began = performance.now();
  servers.ip(`route add ${FAILURE}`);
  while (out.size < fallen.length) {
    for (const service of failing) {
      const there = new Set((await table.destinations(keyOf(service))).map(({ address }) => address.join('.')));
      const seconds = (performance.now() - began) / 1000;
      for (const { address } of service.servers)
        if (!there.has(address) && !out.has(address)) out.set(address, seconds);
    }
    if (performance.now() - began > 60_000) throw new Error('failing real servers stay in the table');
    await sleep(20);
  }
  servers.ip(`route del ${FAILURE}`);
  for (const service of failing)
    await untilService(table, service, (there) => there.length === SERVERS, { start: performance.now(), patience: 60 });
  return fallen.map(({ address }) => out.get(address) ?? Number.NaN);
}

interface Part {
  detections: number[][];
  seconds: number;
  cpu: { daemon: number; worker: number; web: number };
  checks: number;
  /** Longer than 20 ms: milliseconds late, and of that on the CPU. */
  late: { wall: number; cpu: number }[];
}

/** What happens in `rounds` rounds of failures. */
async function measure(): Promise<Part> {
  const at = Date.now();
  const pids = family(daemon.pid).filter((pid) => pid !== daemon.pid);
  const cpus = () => ({ daemon: cpuSeconds([daemon.pid]), worker: cpuSeconds(pids), web: cpuSeconds([webPid]) });
  const [first, checks] = [cpus(), accepted()];
  const detections: number[][] = [];
  for (let i = 0; i < rounds; i += 1) {
    detections.push(await detect());
    say(`out of the table after ${spread(detections.at(-1) ?? []).median.toFixed(2)} s`);
    // At another place between two scrapes each time.
    await sleep(3000 + 700 * i);
  }
  // lvsd tells of the last whole minute.
  await sleep(Math.max(0, at + 125_000 - Date.now()));
  const seconds = (Date.now() - at) / 1000;
  const last = cpus();
  return {
    detections,
    seconds,
    cpu: {
      daemon: last.daemon - first.daemon,
      worker: last.worker - first.worker,
      web: last.web - first.web,
    },
    checks: (accepted() - checks) / seconds,
    late: readFileSync(stretches, 'utf8')
      .split('\n')
      .map((line) => line.split(' ').map(Number))
      .filter(([when = 0]) => when >= at)
      .map(([, wall = 0, cpu = 0]) => ({ wall, cpu })),
  };
}

/** Numbers that lvsd itself tells. */
function told(): (series: string) => number {
  const summary = balancer.run(['lvsctl', '-s', '/run/bench-lvsd/socket', 'metrics', '--detail', 'summary']).stdout;
  return (series) => {
    const line = summary.split('\n').find((one) => one.startsWith(`lvsd_${series} `)) ?? '';
    return Number(line.split(' ').at(-1));
  };
}
const loop = (value: ReturnType<typeof told>) =>
  (['p50', 'p99', 'max'] as const).map((name) => value(`event_loop_lag_${name}_seconds{process="daemon"}`));

const alone = await measure();
const loopAlone = loop(told());
say(`without scrapers: ${JSON.stringify({ ...alone, detections: undefined, late: alone.late.length })}`);

/** Scrapes that took longer than lvsd web allows (30 s). */
let failed = 0;
// The first reading of the kernel, and the first run of all code, may take longer than that on an emulated CPU.
for (let i = 0; i < 10 && (await fetch()) === undefined; i++) say('the first scrape was cut off');
const durations: number[] = [];
let scraping = true;
const scraper = async (offset: number) => {
  await sleep(offset);
  while (scraping) {
    const next = sleep(5000);
    const duration = await fetch();
    if (duration === undefined) failed++;
    else durations.push(duration);
    await next;
  }
};
const readings = told()('table_read_duration_seconds_count');
const scrapers = Promise.all([scraper(0), scraper(2500)]);
const beside = await measure();
scraping = false;
await scrapers;
const value = told();
const loopBeside = loop(value);

// The kernel's part of a reading: the same reading in this process, which has nothing else to do.
const sampler = new Sampler(table);
const sampled = setup.services.map((service) => {
  const key = keyOf(service);
  return { key: serviceKeyText(key), config: key as never, localAddresses: false };
});
const READINGS = 5;
await sampler.read(() => sampled, -1);
const used = process.cpuUsage();
const began = performance.now();
for (let i = 0; i < READINGS; i += 1) await new Sampler(table).read(() => sampled, 0);
const wall = (performance.now() - began) / 1000 / READINGS;
const { user, system } = process.cpuUsage(used);

durations.sort((a, b) => a - b);
const all = (part: Part) => part.detections.flat();
const ratio = spread(all(beside)).median / spread(all(alone)).median;
const longest = (part: Part, of: 'wall' | 'cpu') => Math.max(0, ...part.late.map((one) => one[of])) / 1000;
const over = (part: Part, of: 'wall' | 'cpu') => part.late.filter((one) => one[of] > 50).length;
const extra = (of: 'daemon' | 'worker') =>
  (beside.cpu[of] - (alone.cpu[of] * beside.seconds) / alone.seconds) / Math.max(1, durations.length);
const results = [
  ['checks a second, without scrapers', alone.checks, ''],
  ['checks a second, beside scrapers', beside.checks, ''],
  ['scrapes', durations.length, ''],
  ['scrapes that were cut off after 30 s', failed, ''],
  ['a scrape, median', durations[durations.length >> 1], 's'],
  ['a scrape, longest', durations.at(-1), 's'],
  ['CPU of lvsd web for a scrape', beside.cpu.web / durations.length, 's'],
  ['CPU of the daemon for a scrape, with its part of a reading', extra('daemon'), 's'],
  ['CPU of the health worker for a scrape', extra('worker'), 's'],
  ['readings of the kernel', value('table_read_duration_seconds_count') - readings, ''],
  ['a reading, mean', value('table_read_duration_seconds_sum') / value('table_read_duration_seconds_count'), 's'],
  ['a reading in a process of its own', wall, 's'],
  ["the kernel's part of it", system / 1e6 / READINGS, 's of CPU'],
  ["the program's part of it", user / 1e6 / READINGS, 's of CPU'],
  ['event loop of the daemon without scrapers: late, p50', loopAlone[0], 's'],
  ['event loop of the daemon without scrapers: late, p99', loopAlone[1], 's'],
  ['event loop of the daemon without scrapers: late, longest', longest(alone, 'wall'), 's'],
  ['event loop of the daemon without scrapers: late, longest of that on the CPU', longest(alone, 'cpu'), 's'],
  ['event loop of the daemon beside scrapers: late, p50', loopBeside[0], 's'],
  ['event loop of the daemon beside scrapers: late, p99', loopBeside[1], 's'],
  ['event loop of the daemon beside scrapers: late, longest of the last minute', loopBeside[2], 's'],
  ['event loop of the daemon beside scrapers: late, longest', longest(beside, 'wall'), 's'],
  ['event loop of the daemon beside scrapers: longest on the CPU', longest(beside, 'cpu'), 's'],
  ['times over 50 ms', over(beside, 'wall'), ''],
  ['times over 50 ms on the CPU', over(beside, 'cpu'), ''],
  ['detections, each without and with scrapers', all(alone).length, ''],
  ['detection without scrapers, median', spread(all(alone)).median, 's'],
  ['detection beside scrapers, median', spread(all(beside)).median, 's'],
  ['detection beside scrapers / without', ratio, ''],
].map(([what, figure, unit]) => ({ what, figure, unit }));
for (const { what, figure, unit } of results) say(`${what}: ${Number(figure).toFixed(3)} ${unit}`);
writeFileSync(join(process.env.LAB_OUT ?? '.', 'metrics.json'), `${JSON.stringify(results, null, 2)}\n`);
await web.stop();
await daemon.kill();
listener.stop();
table.close();
process.exit(0);
