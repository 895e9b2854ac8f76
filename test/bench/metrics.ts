// SPDX-License-Identifier: MIT
// Runs in the lab: what metrics of 10,000 services with 4 real servers cost the daemon, the kernel and lvsd web while two
// scrapers ask every 5 s. `npm run bench -- metrics`. Writes $LAB_OUT/metrics.json.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../lab/topology.ts';
import { Daemon } from './versus/daemons.ts';
import { openTable, untilService } from './versus/kernel.ts';
import { cpuSeconds, pssMegabytes, settled } from './versus/processes.ts';
import type { Setup, SetupService } from './versus/setups.ts';
import { services, site, startListener } from './versus/site.ts';

const size = Number(process.env.BENCH_SERVICES ?? 10_000);
const seconds = Number(process.env.BENCH_SECONDS ?? 90);
const SERVERS = 4;
const PATIENCE = 600;
/** One probe of each target a day: what is measured is not checks. */
const pace = { interval: 86_400, timeout: 1, failures: 3 };
const say = (text: string) => process.stderr.write(`bench: metrics: ${text}\n`);

const { balancer, servers } = site();
const listener = startListener(servers);
const table = openTable(balancer);
const setup: Setup = { pace, services: services(size, SERVERS, { type: 'tcp' }) };
const daemon = new Daemon('lvsd', balancer);
daemon.write(setup);
const start = performance.now();
daemon.start();
await untilService(table, setup.services.at(-1) as SetupService, (there) => there.length === SERVERS, {
  ...{ start, patience: PATIENCE },
  check: () => daemon.mustRun(),
});
await settled(daemon.pid);
say(`${size} services with ${SERVERS} real servers after ${((performance.now() - start) / 1000).toFixed(0)} s`);
const before = pssMegabytes([daemon.pid]);
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
/** Scrapes that took longer than lvsd web allows (30 s). */
let failed = 0;
// The first reading of the kernel, and the first run of all code, may take longer than that on an emulated CPU.
for (let i = 0; i < 10 && (await fetch()) === undefined; i++) say('the first scrape was cut off');
const cpu = { daemon: cpuSeconds([daemon.pid]), web: cpuSeconds([webPid]) };
const durations: number[] = [];
const scraper = async (offset: number) => {
  await sleep(offset);
  for (const end = performance.now() + 1000 * seconds; performance.now() < end; ) {
    const next = sleep(5000);
    const duration = await fetch();
    if (duration === undefined) failed++;
    else durations.push(duration);
    await next;
  }
};
await Promise.all([scraper(0), scraper(2500)]);
const used = { daemon: cpuSeconds([daemon.pid]) - cpu.daemon, web: cpuSeconds([webPid]) - cpu.web };
const summary = balancer.run(['lvsctl', '-s', '/run/bench-lvsd/socket', 'metrics', '--detail', 'summary']).stdout;
const value = (series: string) => {
  const line = summary.split('\n').find((one) => one.startsWith(`lvsd_${series} `)) ?? '';
  return Number(line.split(' ').at(-1));
};
durations.sort((a, b) => a - b);
const results = [
  ['scrapes', durations.length, ''],
  ['scrapes that were cut off after 30 s', failed, ''],
  ['a scrape, median', durations[durations.length >> 1], 's'],
  ['a scrape, longest', durations.at(-1), 's'],
  ['CPU of lvsd web for a scrape', used.web / durations.length, 's'],
  ['CPU of the daemon for a scrape, with its part of a reading', used.daemon / durations.length, 's'],
  ['readings of the kernel', value('table_read_duration_seconds_count'), ''],
  ['a reading, mean', value('table_read_duration_seconds_sum') / value('table_read_duration_seconds_count'), 's'],
  ['event loop of the daemon: late, p99', value('event_loop_lag_p99_seconds{process="daemon"}'), 's'],
  ['event loop of the daemon: late, longest', value('event_loop_lag_max_seconds{process="daemon"}'), 's'],
  ['memory of the daemon before', before, 'MB'],
  ['memory of the daemon after', pssMegabytes([daemon.pid]), 'MB'],
  ['memory of lvsd web', pssMegabytes([webPid]), 'MB'],
].map(([what, figure, unit]) => ({ what, figure, unit }));
for (const { what, figure, unit } of results) say(`${what}: ${Number(figure).toFixed(3)} ${unit}`);
writeFileSync(join(process.env.LAB_OUT ?? '.', 'metrics.json'), `${JSON.stringify(results, null, 2)}\n`);
await web.stop();
await daemon.kill();
listener.stop();
table.close();
process.exit(0);
