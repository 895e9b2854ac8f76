// SPDX-License-Identifier: MIT
// Runs in the lab: lvsd beside keepalived with 10,000 services of 4 real servers each: start, a reload with one changed
// weight, memory. Turn by turn, each turn in a namespace of its own. Writes $LAB_OUT/scale.json.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Ipvs } from '../../src/ipvs/index.ts';
import { type Figure, spread } from './figures.ts';
import { Daemon, type DaemonName, daemons } from './versus/daemons.ts';
import { count, openTable, untilService } from './versus/kernel.ts';
import { cpuSeconds, pssMegabytes, settled } from './versus/processes.ts';
import type { Setup, SetupService } from './versus/setups.ts';
import { services, site, startListener } from './versus/site.ts';

const rounds = Number(process.env.BENCH_ROUNDS ?? 3);
const size = Number(process.env.BENCH_SERVICES ?? 10_000);
const only = process.env.BENCH_ONLY?.split(',');
const SERVERS = 4;
const RELOADS = 5;
/** Seconds. */
const PATIENCE = 300;
/** One probe of each target per day, so that checks do not disturb. */
const pace = { interval: 86_400, timeout: 1, failures: 3 };

/** Seconds and megabytes of one turn. */
interface Turn {
  start: number;
  startCpu: number;
  memory: number;
  reload: number[];
  reloadCpu: number[];
}

const say = (text: string) => process.stderr.write(`bench: scale: ${text}\n`);

/** The setup with another weight for the first real server of a service in the middle. */
function changed(setup: Setup, weight: number): { setup: Setup; service: SetupService } {
  const middle = setup.services.length >> 1;
  const all = [...setup.services];
  const old = all[middle] as SetupService;
  const service = { ...old, servers: old.servers.map((one, i) => (i === 0 ? { ...one, weight } : one)) };
  all[middle] = service;
  return { setup: { ...setup, services: all }, service };
}

/** Waits until the last service, and so the table, is complete. */
async function untilComplete(table: Ipvs, daemon: Daemon, setup: Setup, start: number): Promise<number> {
  const last = setup.services.at(-1) as SetupService;
  const check = () => daemon.mustRun();
  return await untilService(table, last, (there) => there.length === SERVERS, { start, patience: PATIENCE, check });
}

async function turn(name: DaemonName, setup: Setup, reloads: number): Promise<Turn> {
  const { balancer, servers, destroy } = site();
  const listener = startListener(servers);
  const table = openTable(balancer);
  try {
    const daemon = new Daemon(name, balancer);
    daemon.write(setup);
    const began = performance.now();
    daemon.start();
    const start = await untilComplete(table, daemon, setup, began);
    const there = count(balancer);
    if (there.services !== size || there.destinations !== size * SERVERS)
      throw new Error(`${name}: ${there.services} services, ${there.destinations} real servers when the last one came`);
    await settled(daemon.pid);
    const result: Turn = {
      start,
      startCpu: cpuSeconds(daemon.pids),
      memory: pssMegabytes(daemon.pids),
      reload: [],
      reloadCpu: [],
    };
    for (let i = 0; i < reloads; i += 1) {
      const weight = i + 2;
      const next = changed(setup, weight);
      daemon.write(next.setup);
      const cpu = cpuSeconds(daemon.pids);
      const requested = performance.now();
      daemon.reload();
      const has = (there: readonly { weight: number }[]) => there.some((one) => one.weight === weight);
      const check = () => daemon.mustRun();
      result.reload.push(await untilService(table, next.service, has, { start: requested, patience: PATIENCE, check }));
      await settled(daemon.pid);
      result.reloadCpu.push(cpuSeconds(daemon.pids) - cpu);
    }
    await daemon.kill();
    return result;
  } finally {
    table.close();
    listener.stop();
    await destroy();
  }
}

async function compare(what: string, check: SetupService['check'], reloads: number) {
  const setup: Setup = { pace, services: services(size, SERVERS, check) };
  const turns: Record<DaemonName, Turn[]> = { keepalived: [], lvsd: [] };
  for (let i = 0; i < rounds; i += 1) {
    for (const name of daemons) {
      if (only && !only.includes(name)) continue;
      const one = await turn(name, setup, reloads);
      turns[name].push(one);
      const took = one.reload.map((seconds) => seconds.toFixed(2)).join(', ');
      const reloadCpu = one.reloadCpu.map((seconds) => seconds.toFixed(2)).join(', ');
      say(
        `${what}, round ${i + 1} of ${rounds}: ${name} started in ${one.start.toFixed(2)} s (CPU ${one.startCpu.toFixed(2)} s)`,
      );
      if (reloads === 0) say(`  has ${one.memory.toFixed(0)} MB`);
      else say(`  has ${one.memory.toFixed(0)} MB, reloads in ${took} s (CPU ${reloadCpu} s)`);
    }
  }
  /** A row: medians of both, and ratios of the figures of the same round. */
  const row = (figure: string, unit: string, of: (one: Turn) => number) => {
    const values = { keepalived: turns.keepalived.map(of), lvsd: turns.lvsd.map(of) };
    const ratios = values.lvsd.map((value, i) => value / (values.keepalived[i] ?? Number.NaN));
    return {
      ...{ what, figure, unit, rounds },
      ...{ keepalived: spread(values.keepalived), lvsd: spread(values.lvsd), ratio: spread(ratios) },
    } satisfies Record<string, string | number | Figure>;
  };
  return [
    row('start, to the whole table', 's', ({ start }) => start),
    row('CPU of the start', 's', ({ startCpu }) => startCpu),
    ...(reloads === 0
      ? []
      : [
          row('reload with one change', 's', ({ reload }) => spread(reload).median),
          row('CPU of the reload', 's', ({ reloadCpu }) => spread(reloadCpu).median),
        ]),
    row('memory (PSS)', 'MB', ({ memory }) => memory),
  ];
}

// With checks keepalived does not finish a reload within five minutes: start and memory only.
const results = [
  ...(await compare('no checks', undefined, RELOADS)),
  ...(await compare('tcp checks', { type: 'tcp' }, 0)),
];
writeFileSync(join(process.env.LAB_OUT ?? '.', 'scale.json'), `${JSON.stringify(results, null, 2)}\n`);
process.exit(0);
