// SPDX-License-Identifier: MIT
// CPU cost of TCP checks in lvsd and keepalived, at rising rates until one of them falls behind. All real servers
// answer; no state changes. Runs in the lab and writes $LAB_OUT/checks.json.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Namespace } from '../../lab/topology.ts';
import { spread } from './figures.ts';
import { Daemon, type DaemonName, daemons } from './versus/daemons.ts';
import { openTable, untilService } from './versus/kernel.ts';
import { cpuSeconds } from './versus/processes.ts';
import type { Setup, SetupService } from './versus/setups.ts';
import { services, site, startListener } from './versus/site.ts';

const rounds = Number(process.env.BENCH_ROUNDS ?? 3);
const rates = (process.env.BENCH_RATES ?? '250,500,1000,2000,5000').split(',').map(Number);
const SERVERS = 4;
/** Seconds: interval of every check, time before a measurement (V8 compiles functions that run often), time of one. */
const INTERVAL = 2;
const WARM_UP = Number(process.env.BENCH_WARM_UP ?? 90);
const DURATION = 20;
/** Seconds that a start may take. */
const PATIENCE = 300;
/** A daemon that reaches less than this part of a rate has fallen behind. */
const HELD = 0.85;

interface Turn {
  /** Checks a second that reached the real servers. */
  reached: number;
  /** Microseconds of CPU a check, of the whole daemon. */
  cpu: number;
}

/** Connections that these servers have accepted so far. */
function accepted(servers: Namespace): number {
  const [names = '', values = ''] = servers
    .run(['cat', '/proc/net/snmp'])
    .stdout.split('\n')
    .filter((line) => line.startsWith('Tcp:'));
  return Number(values.split(' ')[names.split(' ').indexOf('PassiveOpens')]);
}

async function turn(name: DaemonName, rate: number): Promise<Turn> {
  const { balancer, servers, destroy } = site();
  const listener = startListener(servers);
  const table = openTable(balancer);
  try {
    const setup: Setup = {
      pace: { interval: INTERVAL, timeout: 1.5, failures: 3 },
      services: services((rate * INTERVAL) / SERVERS, SERVERS, { type: 'tcp' }),
    };
    const daemon = new Daemon(name, balancer);
    daemon.write(setup);
    const start = performance.now();
    daemon.start();
    const check = () => daemon.mustRun();
    const last = setup.services.at(-1) as SetupService;
    await untilService(table, last, (there) => there.length === SERVERS, { start, patience: PATIENCE, check });
    await sleep(WARM_UP * 1000);
    const { pids } = daemon;
    const before = { at: performance.now(), cpu: cpuSeconds(pids), count: accepted(servers) };
    await sleep(DURATION * 1000);
    const seconds = (performance.now() - before.at) / 1000;
    const cpu = cpuSeconds(pids) - before.cpu;
    const count = accepted(servers) - before.count;
    daemon.mustRun();
    await daemon.kill();
    return { reached: count / seconds, cpu: (cpu / count) * 1e6 };
  } finally {
    table.close();
    listener.stop();
    await destroy();
  }
}

/** A row of the table, and whether both reached the rate. */
async function compare(asked: number) {
  const turns: Record<DaemonName, Turn[]> = { keepalived: [], lvsd: [] };
  for (let i = 0; i < rounds; i += 1) {
    for (const name of daemons) {
      const one = await turn(name, asked);
      turns[name].push(one);
      const text = `${one.reached.toFixed(0)} a second, ${one.cpu.toFixed(0)} microseconds of CPU a check`;
      process.stderr.write(`bench: checks: ${asked} a second, round ${i + 1} of ${rounds}: ${name}: ${text}\n`);
    }
  }
  const figures = (name: DaemonName) => ({
    reached: spread(turns[name].map(({ reached }) => reached)),
    cpu: spread(turns[name].map(({ cpu }) => cpu)),
  });
  const [keepalived, lvsd] = [figures('keepalived'), figures('lvsd')];
  const ratio = spread(turns.lvsd.map(({ cpu }, i) => cpu / (turns.keepalived[i]?.cpu ?? Number.NaN)));
  const held = [keepalived, lvsd].every(({ reached }) => reached.median >= asked * HELD);
  return { asked, rounds, keepalived, lvsd, ratio, held };
}

const results: Awaited<ReturnType<typeof compare>>[] = [];
for (const rate of rates) {
  const row = await compare(rate);
  results.push(row);
  if (!row.held) break;
}
writeFileSync(join(process.env.LAB_OUT ?? '.', 'checks.json'), `${JSON.stringify(results, null, 2)}\n`);
process.exit(0);
