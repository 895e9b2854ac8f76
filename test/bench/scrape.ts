// SPDX-License-Identifier: MIT
// A scrape of `lvsd web` with 10,000 services of 4 real servers, FULLNAT and default detail, without a kernel: rows come
// from a process in the daemon's place, by the real control socket. `npm run bench -- scrape`. Writes $LAB_OUT/scrape.json.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { EventLoopLag } from '../../src/base/event-loop-lag.ts';
import { SILENT_LOG } from '../../src/base/log.ts';
import { EventLog } from '../../src/control/events/log.ts';
import { READ_ONLY } from '../../src/control/methods.ts';
import { REAL_SERVER_COLUMNS, ROWS, type Row, SERVICE_COLUMNS } from '../../src/control/metrics/stats.ts';
import { ControlServer, type Handlers } from '../../src/control/server.ts';
import { STATS } from '../unit/control/stats.ts';
import { spread } from './figures.ts';
import { cpuSeconds } from './versus/processes.ts';
import { scrape, startWeb } from './web.ts';

const size = Number(process.env.BENCH_SERVICES ?? 10_000);
const rounds = Number(process.env.BENCH_ROUNDS ?? 7);
const SERVERS = 4;

/** Numbers as the kernel has them: up to ten digits. */
const row = (columns: readonly string[], given: Record<string, string | number>): Row =>
  columns.map((column, index) => given[column] ?? Math.floor(1e9 * Math.abs(Math.sin(index + 1))));

function daemon(path: string): void {
  const services = Array.from({ length: size }, (_, i) => ({
    service: `service-${String(i).padStart(5, '0')}`,
    virtual: `tcp 10.99.${i >> 8}.${i & 255}:443`,
  }));
  const tables = {
    services: services.map((one) => row(SERVICE_COLUMNS, { ...one, refused: 0, forward: 'fullnat' })),
    realServers: services.flatMap((one, i) =>
      Array.from({ length: SERVERS }, (_, j) =>
        row(REAL_SERVER_COLUMNS, { ...one, realServer: `10.31.${i >> 6}.${4 * (i & 63) + j}:8443`, up: 1 }),
      ),
    ),
  };
  const stats: Handlers['stats'] = async (_params, _peer, notify) => {
    for (const [table, rows] of Object.entries(tables))
      for (let at = 0; at < rows.length; at += ROWS) {
        await notify('rows', { table, rows: rows.slice(at, at + ROWS) });
        await turn();
      }
    return STATS.summary;
  };
  const missing = new Proxy({}, { get: () => () => assertNever() }) as Handlers;
  const handlers = { ...missing, stats, 'config.summary': () => ({}) } as Handlers;
  new ControlServer({ path, handlers, events: new EventLog(), log: SILENT_LOG, methods: READ_ONLY });
  const lag = new EventLoopLag();
  process.on('message', () => process.send?.(lag.numbers));
  process.send?.('ready');
}

const assertNever = (): never => {
  throw new Error('only stats is asked for');
};

async function measure(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'lvsd-scrape-'));
  const socket = join(folder, 'read.sock');
  const child = fork(process.argv[1] ?? '', ['daemon', socket]);
  await once(child, 'message');
  const web = await startWeb(socket);
  const of = async (headers: Record<string, string>) => {
    const [wall, web1, daemon1, bytes]: number[][] = [[], [], [], []];
    for (let i = 0; i < rounds + 1; i++) {
      const before = [cpuSeconds([web.pid]), cpuSeconds([child.pid ?? 0])];
      const one = await scrape(web, headers);
      await sleep(300);
      // The first one warms up.
      if (i === 0) continue;
      wall?.push(one.seconds);
      bytes?.push(one.bytes / 1e6);
      web1?.push(cpuSeconds([web.pid]) - (before[0] ?? 0));
      daemon1?.push(cpuSeconds([child.pid ?? 0]) - (before[1] ?? 0));
    }
    return { wall, web: web1, daemon: daemon1, bytes };
  };
  const zipped = await of({ 'Accept-Encoding': 'gzip' });
  const plain = await of({});
  child.send('lag');
  const [lag] = (await once(child, 'message')) as [EventLoopLag['numbers']];
  const results = [
    ...(['wall', 'web', 'daemon', 'bytes'] as const).map((what) => ({
      ...{ what, unit: what === 'bytes' ? 'MB' : 's' },
      ...{ gzip: spread(zipped[what] ?? []), plain: spread(plain[what] ?? []) },
    })),
    { what: 'longest delay of the sender’s event loop', unit: 's', gzip: spread([lag.max]), plain: spread([lag.max]) },
  ];
  web.child.kill();
  child.kill();
  rmSync(folder, { recursive: true });
  writeFileSync(join(process.env.LAB_OUT ?? '.', 'scrape.json'), `${JSON.stringify(results, null, 2)}\n`);
  process.exit(0);
}

if (process.argv[2] === 'daemon') daemon(process.argv[3] ?? '');
else await measure();
