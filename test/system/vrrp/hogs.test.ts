// SPDX-License-Identifier: MIT
// lab: --stock --uml=plain
// A pair of lvsd beside a pair of keepalived in one busy machine: hogs, health checks and reloads of many services cause
// no more false failovers of lvsd than of keepalived.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startNginx } from '../../../lab/nginx.ts';
import { type Namespace, type Running, Topology, until } from '../../../lab/topology.ts';
import { recordFigures } from '../../support/figures.ts';
import { type Conf, Lvsd } from '../lvsd/daemon.ts';

const full = process.env.LVSD_COUNTS === 'full';
/** `CHECKS`: a second; `SERVICES`: those that reloads add and remove. */
const [INSTANCES, HOGS, CHECKS, SERVICES] = full ? [20, 4, 2000, 10_000] : [4, 2, 100, 500];
const SECONDS = Number(process.env.LVSD_SOAK_SECONDS ?? (full ? 600 : 60));
/** Seconds between reloads. */
const RELOADS = 20;
/** Seconds between adverts: an emulated CPU beside another VM is too slow for 100 ms at times. */
const INTERVAL = full ? 0.1 : 1;
/** A pause of the machine itself, in seconds, that may end the down interval. */
const STALL = 2 * INTERVAL;

/**
 * Prints, whenever it grows, the longest time in seconds that one CPU let nothing run, whatever its priority: as long as a
 * virtual CPU has to wait for its host.
 */
const WATCH = `
import os, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(50))
worst = 0.0
while True:
    before = time.monotonic()
    time.sleep(0.01)
    late = time.monotonic() - before - 0.01
    if late > worst:
        worst = late
        print(worst, flush=True)
`;

const topology = new Topology();
const switching = topology.namespace('switch');
const pairs = { lvsd: [host('a', 1), host('b', 2)], keepalived: [host('ka', 3), host('kb', 4)] } as const;
const [first, second] = pairs.lvsd.map((where, index) => new Lvsd(where, `hogs${index}`)) as [Lvsd, Lvsd];
const keepalived: { child: ChildProcess; log: string }[] = [];
const hogs: Running[] = [];

function host(name: string, number: number): Namespace {
  const where = topology.namespace(name);
  topology.link(
    { in: where, device: 'eth0', addresses: [`10.9.0.${number}/24`] },
    { in: switching, device: `port${number}` },
  );
  return where;
}

const ids = Array.from({ length: INSTANCES }, (_, index) => index + 1);

/** `more`: services of a reload, which no check looks at. */
function conf(priority: number, more = 0): Conf {
  const instance = (id: number) => ({
    ...{ interface: 'eth0', virtual_router_id: id, priority, advert_interval: `${1000 * INTERVAL}ms` },
    addresses: [`10.9.1.${id}/32`],
  });
  const targets = priority === 150 ? CHECKS : 0;
  const checked = Array.from({ length: targets / 10 }, (_, index) => [
    `checked${index}`,
    {
      ...{ fwmark: 1 + index, check: { type: 'http', port: 80, interval: '1s', timeout: '1s' } },
      real_servers: Array.from({ length: 10 }, (_, server) => `127.${1 + (index >> 8)}.${index & 255}.${1 + server}`),
    },
  ]);
  const further = Array.from({ length: more }, (_, index) => [
    `further${index}`,
    { fwmark: 10_000 + index, real_servers: ['127.0.0.1'] },
  ]);
  return {
    version: 1,
    services: Object.fromEntries([...checked, ...further]),
    vrrp: Object.fromEntries(ids.map((id) => [`edge${id}`, instance(id)])),
  };
}

function startKeepalived(where: Namespace, priority: number): void {
  const dir = mkdtempSync(join(tmpdir(), 'lvsd-keepalived-'));
  const instances = ids.map(
    (id) => `vrrp_instance edge${id} {
  interface eth0
  virtual_router_id ${100 + id}
  priority ${priority}
  advert_int ${INTERVAL}
  virtual_ipaddress {
    10.9.2.${id}/32 dev eth0
  }
}
`,
  );
  const path = join(dir, 'keepalived.conf');
  // The priority and limit that lvsd has too: with its own limit of 10 ms it is ended on an emulated CPU.
  const globals = 'global_defs {\n  vrrp_version 3\n  vrrp_rt_priority 10\n  vrrp_rlimit_rttime 1000000\n}\n';
  writeFileSync(path, `${globals}${instances.join('')}`);
  const pids = ['-p', join(dir, 'main.pid'), '-r', join(dir, 'vrrp.pid')];
  const [file = '', ...args] = where.inside(['keepalived', '-n', '-l', '-D', '-P', '-f', path, ...pids]);
  const log = join(dir, 'log');
  const output = openSync(log, 'w');
  keepalived.push({ child: spawn(file, args, { stdio: ['ignore', output, output] }), log });
  closeSync(output);
}

const held = (where: Namespace, network: string) =>
  where.run(['ip', '-o', '-4', 'addr', 'show', 'dev', 'eth0']).stdout.split(` ${network}.`).length - 1;

/** How often instances have become master: of lvsd and of keepalived. */
async function takeovers(): Promise<{ lvsd: number; keepalived: number }> {
  const events = (await Promise.all([first.events(), second.events()])).flat();
  return {
    lvsd: events.filter(({ kind, text }) => kind === 'vrrp.state' && / is master/.test(text)).length,
    keepalived: keepalived
      .map(({ log }) => readFileSync(log, 'utf8').split('Entering MASTER STATE').length - 1)
      .reduce((sum, one) => sum + one),
  };
}

before(async () => {
  topology.bridge(switching, 'br0', ['port1', 'port2', 'port3', 'port4']);
  startNginx(pairs.lvsd[0], { listen: ['80'], server: 'access_log off;' });
  await first.start(conf(150));
  await second.start(conf(100));
  startKeepalived(pairs.keepalived[0], 150);
  startKeepalived(pairs.keepalived[1], 100);
  await until('every address at the first of its pair', () => {
    const [a, b] = [pairs.lvsd.map((one) => held(one, '10.9.1')), pairs.keepalived.map((one) => held(one, '10.9.2'))];
    return [a, b].every(([own, other]) => own === INSTANCES && other === 0);
  });
});
after(async () => {
  await Promise.all(hogs.map((hog) => hog.stop('SIGKILL')));
  for (const { child } of keepalived) {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  }
  await Promise.all([first.stop(), second.stop()]);
  await topology.destroy();
});

test(`${SECONDS} s of load on ${INSTANCES} virtual routers of each`, { timeout: (SECONDS + 600) * 1000 }, async () => {
  const watches = cpus().map((_, cpu) => switching.spawn(['python3', '-c', WATCH, String(cpu)]));
  await until('the watches', () => watches.every((watch) => watch.stdout() !== ''));
  const start = await takeovers();
  for (let hog = 0; hog < HOGS; hog++) hogs.push(switching.spawn(['sh', '-c', 'while :; do :; done']));
  const end = Date.now() + 1000 * SECONDS;
  let reloads = 0;
  while (Date.now() < end) {
    // Beside hogs on a slow CPU a reload may take longer than its client waits.
    await first.reload(conf(150, reloads % 2 === 0 ? SERVICES : 0)).catch((error: Error) => {
      if (!/did not answer/.test(error.message)) throw error;
    });
    reloads += 1;
    await sleep(Math.min(1000 * RELOADS, Math.max(0, end - Date.now())));
  }
  await Promise.all(hogs.splice(0).map((hog) => hog.stop('SIGKILL')));
  const now = await takeovers();
  const stalls = watches.map((watch) => Number(watch.stdout().trim().split('\n').at(-1)));
  await Promise.all(watches.map((watch) => watch.stop('SIGKILL')));
  const checks = (await first.status()).services.flatMap(({ realServers }) => realServers).length;
  const found = { lvsd: now.lvsd - start.lvsd, keepalived: now.keepalived - start.keepalived };
  const figures = { instances: INSTANCES, hogs: HOGS, checks: CHECKS, reloads, seconds: SECONDS, stalls, ...found };
  console.log(JSON.stringify(figures));
  recordFigures('vrrp-load', figures);
  assert.ok(reloads >= 2 && checks >= CHECKS, JSON.stringify(figures));
  assert.ok(found.lvsd <= found.keepalived || Math.max(...stalls) > STALL, JSON.stringify(figures));
});
