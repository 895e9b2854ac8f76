// SPDX-License-Identifier: MIT
// Runs in the lab: seconds from a failure of real servers until they leave the kernel's table, and from their recovery
// until they are back. lvsd and keepalived run at the same time, each on a balancer of its own, and check the same real
// servers at the same pace. Writes $LAB_OUT/detect.json.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Namespace, type Running, Topology, until } from '../../lab/topology.ts';
import type { Ipvs } from '../../src/ipvs/index.ts';
import { type Figure, spread } from './figures.ts';
import { type Condition, HTTP_PORT, HTTPS_PORT, serveAiling } from './versus/ailing-server.ts';
import { type Certificates, makeCertificates } from './versus/certificates.ts';
import { Daemon, type DaemonName, daemons } from './versus/daemons.ts';
import { keyOf, openTable } from './versus/kernel.ts';
import type { Setup, SetupService } from './versus/setups.ts';

const rounds = Number(process.env.BENCH_ROUNDS ?? 5);
/** Real servers of each service. Each is probed at another time, so that a failure of all gives as many figures. */
const SERVERS = 6;
const NAME = 'bench.example';
const dir = '/run/bench-detect';
const conditionFile = join(dir, 'condition');
/** Seconds. One success brings a server back, as always in keepalived. */
const pace = { interval: 2, timeout: 1, failures: 3 };
/** Seconds to wait for an expected change, and for one that is not expected. */
const PATIENCE = 60;
const NEVER = 20;
/** Milliseconds between two reads of a table. */
const PERIOD = 25;

type CheckName = 'tcp' | 'http' | 'https';

/** Failures of the real servers, and the checks that should detect them. */
const failures = [
  { failure: 'connections are reset', checks: ['tcp', 'http'], begin: 'reject with tcp reset' },
  { failure: 'silence', checks: ['tcp', 'http'], begin: 'drop' },
  { failure: 'slow answer', checks: ['http'], condition: 'slow' },
  { failure: 'wrong status (503)', checks: ['http'], condition: 'wrong status' },
  { failure: 'expired certificate', checks: ['https'], condition: 'expired certificate' },
] as const satisfies readonly {
  failure: string;
  checks: readonly CheckName[];
  begin?: string;
  condition?: Condition;
}[];

function setup({ authority }: Certificates): Setup {
  const service = (name: CheckName, port: number, check: SetupService['check']): SetupService => ({
    name,
    address: '10.99.0.10',
    port,
    check,
    servers: Array.from({ length: SERVERS }, (_, i) => ({ address: `10.32.0.${i + 1}`, port, weight: 1 })),
  });
  return {
    pace,
    services: [
      // Another port than http's, or lvsd would share the probes.
      service('tcp', HTTP_PORT + 1, { type: 'tcp' }),
      service('http', HTTP_PORT, { type: 'http', path: '/' }),
      service('https', HTTPS_PORT, { type: 'https', path: '/', host: NAME, ca: authority }),
    ],
  };
}

/** Two balancers and, behind a switch, the real servers. */
function network(): { topology: Topology; balancers: Record<DaemonName, Namespace>; servers: Namespace } {
  const topology = new Topology();
  const [keepalived, lvsd, servers] = (['lb1', 'lb2', 'servers'] as const).map((name) => topology.namespace(name));
  if (!keepalived || !lvsd || !servers) throw new Error('no namespaces');
  for (const [i, each] of [keepalived, lvsd].entries()) {
    topology.link(
      { in: each, device: 'in0', addresses: [`10.31.${i}.1/24`] },
      { in: servers, device: `lb${i}`, addresses: [`10.31.${i}.2/24`] },
    );
    each.ip(`route add 10.32.0.0/24 via 10.31.${i}.2`);
  }
  servers.ip('route add local 10.32.0.0/24 dev lo');
  return { topology, balancers: { keepalived, lvsd }, servers };
}

/** The real servers, which can be made to fail and to recover. */
class RealServers {
  readonly #servers: Namespace;
  readonly #server: Running;

  constructor(servers: Namespace, server: Running) {
    this.#servers = servers;
    this.#server = server;
  }

  /** Makes all real servers fail at once. */
  async fail(failure: (typeof failures)[number]): Promise<void> {
    if ('begin' in failure) {
      // One transaction.
      const rules = `table ip ill { chain in { type filter hook input priority 0; ip daddr 10.32.0.0/24 tcp dport { ${HTTP_PORT}, ${HTTP_PORT + 1} } ${failure.begin}; }; }`;
      this.#servers.run(['nft', '-f', '-'], { input: `${rules}\n` });
    } else await this.#turn(failure.condition);
  }

  async recover(failure: (typeof failures)[number]): Promise<void> {
    if ('begin' in failure) this.#servers.run('nft delete table ip ill');
    else await this.#turn('well');
  }

  async #turn(condition: Condition): Promise<void> {
    writeFileSync(conditionFile, condition);
    this.#server.child.kill('SIGUSR2');
    const last = () => this.#server.stdout().trimEnd().split('\n').at(-1);
    await until(`the servers to be ${condition}`, () => last() === condition);
  }
}

/**
 * Seconds from `start` until each real server of a service is present, or absent; undefined if that does not happen.
 */
async function watch(
  table: Ipvs,
  service: SetupService,
  present: boolean,
  start: number,
  patience: number,
): Promise<(number | undefined)[]> {
  const key = keyOf(service);
  const seconds = new Map<string, number>();
  const addresses = service.servers.map(({ address }) => address);
  while (seconds.size < addresses.length && performance.now() - start < patience * 1000) {
    const there = new Set((await table.destinations(key)).map(({ address }) => address.join('.')));
    const now = (performance.now() - start) / 1000;
    for (const address of addresses)
      if (there.has(address) === present && !seconds.has(address)) seconds.set(address, now);
    await sleep(PERIOD);
  }
  return addresses.map((address) => seconds.get(address));
}

interface Found {
  out: (number | undefined)[];
  back: (number | undefined)[];
}

/** undefined: none of them was removed. */
function figures({ out, back }: Found): { out: Figure; back: Figure } | undefined {
  const known = (values: (number | undefined)[]) => values.filter((value) => value !== undefined);
  if (known(out).length === 0) return undefined;
  if (known(out).length < out.length || known(back).length < back.length)
    throw new Error(`some failures were detected and others not: ${out.join(' ')} and ${back.join(' ')}`);
  return { out: spread(known(out)), back: spread(known(back)) };
}

async function measure(): Promise<void> {
  const certificates = makeCertificates(dir, NAME);
  writeFileSync(conditionFile, 'well');
  const { topology, balancers, servers } = network();
  try {
    const [script = ''] = process.argv.slice(1);
    const server = servers.spawn([process.execPath, script, 'serve', JSON.stringify(certificates)]);
    await until('the real servers', () => server.stdout() !== '', 20_000);
    const listener = servers.spawn([process.env.BENCH_LISTENER ?? 'listener', String(HTTP_PORT + 1)]);
    const realServers = new RealServers(servers, server);
    const what = setup(certificates);
    const tables = { keepalived: openTable(balancers.keepalived), lvsd: openTable(balancers.lvsd) };
    const running = daemons.map((name) => new Daemon(name, balancers[name]));
    for (const daemon of running) {
      daemon.write(what);
      daemon.start();
    }
    const everywhere = (
      present: boolean,
      names: readonly CheckName[],
      start: number,
      patience: (name: DaemonName, check: CheckName) => number,
    ) =>
      Promise.all(
        daemons.flatMap((name) =>
          what.services
            .filter((service) => names.some((check) => check === service.name))
            .map(async (service) => {
              const check = service.name as CheckName;
              const seconds = await watch(tables[name], service, present, start, patience(name, check));
              return { name, check, seconds };
            }),
        ),
      );
    const all: CheckName[] = ['tcp', 'http', 'https'];
    for (const { name, check, seconds } of await everywhere(true, all, performance.now(), () => PATIENCE)) {
      if (seconds.includes(undefined)) throw new Error(`${name} does not have its real servers of ${check}`);
    }
    // Every target has been probed a few times, and keepalived's first failure is no longer enough.
    await sleep(10_000);

    const found = new Map<string, Found>();
    const note = (failure: string, direction: keyof Found, rows: Awaited<ReturnType<typeof everywhere>>) => {
      for (const { name, check, seconds } of rows) {
        const key = `${failure} ${check} ${name}`;
        const so = found.get(key) ?? { out: [], back: [] };
        so[direction].push(...seconds);
        found.set(key, so);
        const text = seconds.map((value) => value?.toFixed(1) ?? '-').join(' ');
        process.stderr.write(`bench: detect: ${failure}, ${check}: ${direction} of ${name}'s table after ${text} s\n`);
      }
    };
    for (let round = 0; round < rounds; round += 1) {
      for (const failure of failures) {
        for (const daemon of running) daemon.mustRun();
        if (listener.child.exitCode !== null) throw new Error('the listener ended');
        await sleep(Math.random() * pace.interval * 1000);
        const fell = performance.now();
        await realServers.fail(failure);
        // keepalived is not expected to notice a certificate.
        const patience = (name: DaemonName, check: CheckName) =>
          name === 'keepalived' && check === 'https' ? NEVER : PATIENCE;
        note(failure.failure, 'out', await everywhere(false, failure.checks, fell, patience));
        await sleep(2000 + Math.random() * pace.interval * 1000);
        const rose = performance.now();
        await realServers.recover(failure);
        note(failure.failure, 'back', await everywhere(true, failure.checks, rose, () => PATIENCE));
        await sleep(3 * pace.interval * 1000);
      }
    }
    const results = failures.flatMap(({ failure, checks }) =>
      checks.map((check) => {
        const of = (name: DaemonName) => figures(found.get(`${failure} ${check} ${name}`) ?? { out: [], back: [] });
        return { failure, check, samples: rounds * SERVERS, keepalived: of('keepalived'), lvsd: of('lvsd') };
      }),
    );
    writeFileSync(join(process.env.LAB_OUT ?? '.', 'detect.json'), `${JSON.stringify(results, null, 2)}\n`);
    for (const daemon of running) await daemon.kill();
  } finally {
    await topology.destroy();
  }
}

if (process.argv[2] === 'serve') {
  serveAiling({ condition: conditionFile, certificates: JSON.parse(process.argv[3] ?? '') as Certificates });
} else {
  await measure();
  process.exit(0);
}
