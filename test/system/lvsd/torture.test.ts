// SPDX-License-Identifier: MIT
// The daemon under random load from a seed: reloads back to back under downloads, and kill -9 with flapping real
// servers and foreign ipvsadm commands. Small counts in npm test, large ones in test:full.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random, seed } from '../../support/random.ts';
import { KEPT, randomConf } from '../../support/worlds.ts';
import { type Conf, eventually } from './daemon.ts';
import { Site } from './site.ts';

const FULL = process.env.LVSD_COUNTS === 'full';
const SEED = seed();
let site: Site;

before(() => {
  process.stdout.write(`LVSD_SEED=${SEED}\n`);
  site = new Site({ name: 'torture' });
});
afterEach(async () => {
  await site.lvsd.stop();
  site.clear();
});
after(() => site?.close());

function figures(name: string, values: Record<string, unknown>): void {
  const dir = join(process.env.LAB_OUT ?? '/tmp', 'results');
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, `${name}.json`), JSON.stringify({ seed: SEED, ...values }));
}

const reloads = FULL ? 200 : 10;
const parallel = FULL ? 50 : 10;

test(`${reloads} random reloads back to back, ${parallel} downloads under way: all are complete, all plans empty`, {
  timeout: 1_800_000,
}, async () => {
  const { lvsd } = site;
  const random = new Random(SEED);
  await lvsd.start(randomConf(random));
  let done = 0;
  let operations = 0;
  let slowest = 0;
  let downloads = 0;
  while (done < reloads) {
    // Half of the downloads use FULLNAT, half NAT; new ones begin when these have ended, until all reloads are done.
    const running = await Promise.all(
      Object.values(KEPT).map((from) => site.downloads(from, parallel / 2, FULL ? 60 : 10)),
    );
    let over = false;
    const whole = Promise.all(running.map((one) => one.whole())).finally(() => {
      over = true;
    });
    while (done < reloads && !over) {
      const started = Date.now();
      const result = await lvsd.reload(randomConf(random));
      slowest = Math.max(slowest, Date.now() - started);
      assert.deepEqual(result.failed, [], `reload ${done}`);
      operations += result.operations;
      done++;
    }
    assert.deepEqual(await whole, ['whole', 'whole'], `LVSD_SEED=${SEED}, after ${done} reloads: ${lvsd.log}`);
    downloads += parallel;
    await eventually('an empty plan', async () => (await lvsd.plan()).length === 0);
  }
  assert.doesNotMatch(lvsd.log, /10\.99\.0\.1[12]:80 real server 10\.31\.[45]\.2:80.* is down/);
  figures('lvsd-reloads', { reloads: done, downloads, operations, slowestMs: slowest });
});

const kills = FULL ? { seconds: 300 } : { seconds: 15 };

/** These two always answer; the others flap. */
const steady = ['10.31.4.2:80', '10.31.5.2:80'];
const flapping = ['rs1:8001', 'rs2:8001', 'rs1:8002', 'rs2:8002'];

function flappingConf(): Conf {
  const check = { type: 'http', path: '/healthz', interval: '1s', timeout: '950ms', rise: 1, fall: 3 };
  const real_servers = [80, 8001, 8002].flatMap((port) =>
    ['10.31.4.2', '10.31.5.2'].map((address) => ({ address, port })),
  );
  const service = { port: 80, device: 'vip0', check, real_servers };
  return {
    version: 1,
    resync: '2s',
    local_addresses: { inner: { device: 'in0', addresses: ['10.31.3.101-10.31.3.102'] } },
    services: {
      full: { ...service, address: '10.99.0.11', forward: 'fullnat', local_addresses: 'inner' },
      plain: { ...service, address: '10.99.0.12', on_failure: 'inhibit' },
      third: { ...service, address: '10.99.0.13', sorry_server: '10.31.5.2:8004', quorum: 4 },
    },
  };
}

/** A command of another program that changes lvsd's table or addresses. */
function foreignCommand(random: Random): string {
  const service = `-t 10.99.0.1${1 + random.below(3)}:80`;
  const server = `-r 10.31.${random.pick([4, 5])}.2:${random.pick([80, 8001, 8002])}`;
  return random.pick([
    `ipvsadm -D ${service}`,
    `ipvsadm -d ${service} ${server}`,
    `ipvsadm -e ${service} ${server} -w ${random.below(9)} -m`,
    `ipvsadm -E ${service} -s ${random.pick(['rr', 'lc', 'sh'])} -p 30`,
    `ipvsadm -a ${service} -r 10.31.6.${2 + random.below(9)}:80 -m`,
    `ipvsadm -A -t 10.99.0.${100 + random.below(9)}:80 -s rr`,
    'ipvsadm -C',
    'ip addr del 10.99.0.12/32 dev vip0',
    'ip addr del 10.31.3.102/32 dev in0',
  ]);
}

test(`kill -9 again and again for ${kills.seconds} s, flapping real servers, foreign commands: it converges, no healthy server is reported down`, {
  timeout: 1_800_000,
}, async () => {
  const { lvsd } = site;
  const random = new Random(SEED + 1);
  const counts = { kills: 0, flaps: 0, commands: 0, quietPoints: 0, slowestQuietMs: 0 };
  await lvsd.start(flappingConf());
  const sick = new Set<string>();
  const end = Date.now() + kills.seconds * 1000;
  while (Date.now() < end || counts.kills < 3) {
    for (let step = 0; step < 4; step++) {
      const name = random.pick(flapping);
      if (!sick.delete(name)) sick.add(name);
      site.setHealthy(name, !sick.has(name));
      counts.flaps++;
      site.lvs.balancer.run(foreignCommand(random), { accept: 'any' });
      counts.commands++;
      await sleep(random.below(700));
    }
    await lvsd.kill();
    counts.kills++;
    if (random.chance(50)) site.lvs.balancer.run(foreignCommand(random), { accept: 'any' });
    await lvsd.start();
    if (random.chance(60)) continue;
    // A quiet point: nothing changes, so that the desired state has to be reached soon.
    const quiet = Date.now();
    await eventually(
      'the kernel to be as desired',
      async () => (await lvsd.plan()).length === 0 && (await statesAreRight(sick)),
      40_000,
    );
    counts.quietPoints++;
    counts.slowestQuietMs = Math.max(counts.slowestQuietMs, Date.now() - quiet);
  }
  await eventually('the end', async () => (await lvsd.plan()).length === 0 && (await statesAreRight(sick)), 40_000);
  const plan = await lvsd.run('lvsd', 'plan', ...lvsd.paths);
  assert.deepEqual([plan.status, plan.stdout], [0, 'no difference\n'], plan.stderr);
  for (const server of steady)
    assert.doesNotMatch(
      lvsd.log,
      new RegExp(`real server ${server.replaceAll('.', '\\.')} .*is down`),
      `LVSD_SEED=${SEED}`,
    );
  figures('lvsd-kills', { seconds: kills.seconds, ...counts });
});

/** Whether the daemon's state of every real server is the true one. */
async function statesAreRight(sick: ReadonlySet<string>): Promise<boolean> {
  const { services } = await site.lvsd.status();
  return services.every(({ realServers }) =>
    realServers.every(({ address, port, state }) => {
      const name = `${address === '10.31.4.2' ? 'rs1' : 'rs2'}:${port}`;
      return state === (sick.has(name) ? 'down' : 'up');
    }),
  );
}
