// SPDX-License-Identifier: MIT
/**
 * CPU time of a check and memory of a target: lvsd's health worker beside a minimal checker in C (checker.c), on
 * loopback, by turns, against the same server. Runs on the host and writes $LAB_OUT/probes.json.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SILENT_LOG } from '../../src/base/log.ts';
import { HealthMonitor } from '../../src/health/monitor.ts';
import type { Check, Target } from '../../src/health/types.ts';
import { spread } from './figures.ts';
import { cpuSeconds, family, pssMegabytes } from './versus/processes.ts';

const rounds = Number(process.env.BENCH_ROUNDS ?? 3);
const targets = Number(process.env.BENCH_TARGETS ?? 40_000);
/** Checks a second. */
const rates = (process.env.BENCH_RATES ?? '1000,4000').split(',').map(Number);
const types = ['tcp', 'http'] as const;
/** Seconds: time before a measurement (V8 compiles functions that run often), and time of one. */
const WARM_UP = Number(process.env.BENCH_WARM_UP ?? 15);
const DURATION = 10;
const PORT = 18_080;

type Type = (typeof types)[number];

interface Turn {
  /** Checks a second. */
  reached: number;
  /** Microseconds of CPU a check. */
  cpu: number;
  /** Megabytes, proportional set size. */
  memory: number;
}

/** A running checker. */
interface Running {
  pid: number;
  /** Number of checks so far. */
  done(): number;
  end(): Promise<void>;
}

function program(variable: 'BENCH_LISTENER' | 'BENCH_ANSWERER' | 'BENCH_CHECKER', ...words: string[]): ChildProcess {
  return spawn(process.env[variable] ?? '', words, { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function stop(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

function minimal(type: Type, interval: number): Running {
  const child = program('BENCH_CHECKER', type, String(PORT), String(targets), String(interval));
  let done = 0;
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    done = Number(text.trim().split('\n').at(-1));
  });
  return { pid: child.pid ?? 0, done: () => done, end: () => stop(child) };
}

function isWorker(pid: number): boolean {
  return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('workers/health.cjs');
}

function check(type: Type, interval: number): Check {
  const common = {
    interval,
    timeout: 1500,
    rise: 2,
    fall: 3,
    start: 'auto' as const,
    address: undefined,
    port: 0,
    bind: undefined,
    fwmark: 0,
  };
  if (type === 'tcp') return { type, ...common };
  const request = { method: 'GET', path: '/healthz', host: undefined, headers: [] };
  return { type, ...common, ...request, status: [[200, 299]], body: undefined, tls: undefined };
}

async function ours(type: Type, interval: number): Promise<Running> {
  const wanted = check(type, interval);
  const list = Array.from({ length: targets }, (_, i): Target => {
    const last = i + 1;
    const address = `127.${1 + (last >> 16)}.${(last >> 8) & 255}.${last & 255}`;
    const id = `${type} ${address}`;
    return { id, address, port: PORT, check: wanted, initiallyUp: true, label: id };
  });
  const monitor = new HealthMonitor({ concurrency: 65_536, log: SILENT_LOG });
  monitor.configure(list);
  let failed = 0;
  monitor.onTransition(() => {
    failed++;
  });
  let done = 0;
  let seen: unknown;
  // A new object each second.
  const timer = setInterval(() => {
    const { load } = monitor;
    if (load !== seen) done += load.probes;
    seen = load;
  }, 50);
  await sleep(1000);
  const pid = family(process.pid).find(isWorker);
  if (!pid) throw new Error('the health worker does not run');
  const end = async () => {
    clearInterval(timer);
    await monitor.stop();
    if (failed > 0) throw new Error(`${failed} checks changed a state: the machine is overloaded`);
  };
  return { pid, done: () => done, end };
}

async function turn(start: (type: Type, interval: number) => Running | Promise<Running>, type: Type, rate: number) {
  const running = await start(type, (targets / rate) * 1000);
  try {
    await sleep(WARM_UP * 1000);
    const before = { at: performance.now(), cpu: cpuSeconds([running.pid]), done: running.done() };
    await sleep(DURATION * 1000);
    const seconds = (performance.now() - before.at) / 1000;
    const done = running.done() - before.done;
    const cpu = ((cpuSeconds([running.pid]) - before.cpu) / done) * 1e6;
    return { reached: done / seconds, cpu, memory: pssMegabytes([running.pid]) };
  } finally {
    await running.end();
  }
}

async function compare(type: Type, rate: number) {
  const server = program(type === 'tcp' ? 'BENCH_LISTENER' : 'BENCH_ANSWERER', String(PORT));
  const turns: Record<'c' | 'lvsd', Turn[]> = { c: [], lvsd: [] };
  try {
    await sleep(300);
    for (let round = 1; round <= rounds; round++) {
      for (const [name, start] of [['c', minimal] as const, ['lvsd', ours] as const]) {
        const one = await turn(start, type, rate);
        turns[name].push(one);
        const text = `${one.reached.toFixed(0)} a second, ${one.cpu.toFixed(1)} microseconds of CPU a check, ${one.memory.toFixed(0)} MB`;
        process.stderr.write(
          `bench: probes: ${type}, ${rate} a second, round ${round} of ${rounds}: ${name}: ${text}\n`,
        );
      }
    }
  } finally {
    await stop(server);
  }
  const figures = (list: Turn[]) => ({
    reached: spread(list.map(({ reached }) => reached)),
    cpu: spread(list.map(({ cpu }) => cpu)),
    memory: spread(list.map(({ memory }) => memory)),
  });
  const ratio = spread(turns.lvsd.map(({ cpu }, i) => cpu / (turns.c[i]?.cpu ?? Number.NaN)));
  return { type, rate, targets, c: figures(turns.c), lvsd: figures(turns.lvsd), ratio };
}

const results: Awaited<ReturnType<typeof compare>>[] = [];
for (const type of types) for (const rate of rates) results.push(await compare(type, rate));
writeFileSync(join(process.env.LAB_OUT ?? '.', 'probes.json'), `${JSON.stringify(results, null, 2)}\n`);
process.exit(0);
