// SPDX-License-Identifier: MIT
// Runs in the lab with --icount, where the clock counts instructions: what a reading of the kernel's counters costs the
// daemon and the kernel for each service with 4 real servers, and with none, and the longest turn of the event loop in it.
// The table has 1,000 services by default: the cost of each does not depend on their number. Writes $LAB_OUT/reading.json.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { loadConfig } from '../../src/config/load.ts';
import { Sampler } from '../../src/daemon/control/sampler.ts';
import { virtualServices } from '../../src/daemon/model/virtual-services.ts';
import { spread } from './figures.ts';
import { openTable } from './versus/kernel.ts';
import { lvsdFile } from './versus/setups.ts';
import { services, site } from './versus/site.ts';

const size = Number(process.env.BENCH_SERVICES ?? 1000);
const rounds = Number(process.env.BENCH_ROUNDS ?? 7);
/** Readings of a round: the kernel splits CPU time between itself and the program by its ticks. */
const READINGS = 20;

/** Nanoseconds of the clock, which are instructions. */
const now = () => performance.now() * 1e6;

/** The longest turn of the event loop until `work` has ended. */
async function longestTurn(work: Promise<void>): Promise<number> {
  let [longest, before, working] = [0, now(), true];
  const watching = (async () => {
    while (working) {
      await turn();
      const at = now();
      longest = Math.max(longest, at - before);
      before = at;
    }
  })();
  await work;
  working = false;
  await watching;
  return longest;
}

async function measure(servers: number) {
  const { balancer, destroy } = site();
  const table = openTable(balancer);
  const file = '/run/bench-reading.yaml';
  const setup = { pace: { interval: 1, timeout: 1, failures: 1 }, services: services(size, 4, undefined) };
  writeFileSync(file, lvsdFile(setup));
  const list = virtualServices(loadConfig(file));
  const failed = await table.addServices(
    list.map(({ config, realServers }) => ({
      service: config,
      destinations: realServers.slice(0, servers).map(({ destination }) => destination),
    })),
  );
  if (failed.size > 0) throw new Error(`${failed.size} services cannot be added`);
  const sampled = list.map(({ key, config }) => ({ key, config, localAddresses: false }));
  const read = async () => {
    const { destinations } = await new Sampler(table).read(() => sampled, 0);
    if (destinations.size !== size * servers) throw new Error(`${destinations.size} real servers are read`);
  };

  for (let i = 0; i < READINGS; i += 1) await read();
  const [whole, kernel, turns]: [number[], number[], number[]] = [[], [], []];
  for (let round = 1; round <= rounds; round += 1) {
    const [began, cpu] = [now(), process.cpuUsage()];
    for (let i = 0; i < READINGS; i += 1) await read();
    const each = (now() - began) / READINGS / size;
    const { user, system } = process.cpuUsage(cpu);
    whole.push(each);
    kernel.push((each * system) / (user + system));
    turns.push(await longestTurn(read()));
    process.stderr.write(`bench: reading: ${servers} real servers: round ${round} of ${rounds}\n`);
  }
  table.close();
  await destroy();
  const what = `a service with ${servers} real servers`;
  return [
    { what, figure: spread(whole) },
    { what: `${what}: the kernel's part`, figure: spread(kernel) },
    { what: `${size} of them: the longest turn of the event loop`, figure: spread(turns) },
  ];
}

const results = [...(await measure(4)), ...(await measure(0))];
writeFileSync(join(process.env.LAB_OUT ?? '.', 'reading.json'), `${JSON.stringify(results, null, 2)}\n`);
process.exit(0);
