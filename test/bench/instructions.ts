// SPDX-License-Identifier: MIT
// Runs in the lab with --icount, where the clock counts instructions: instructions of a balancer for a packet of an
// established connection, for the opening of a connection, and for a whole short one; and the memory of a connection.
// Writes $LAB_OUT/instructions.json.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Namespace, Topology } from '../../lab/topology.ts';
import { spread } from './figures.ts';

/** Kinds of balancers: drops at once; forwards without IPVS, with an idle service; translates. */
const modes = ['drop', 'plain', 'idle', 'nat', 'fullnat'] as const;
type Mode = (typeof modes)[number];
const directions = ['in', 'out'] as const;

const packets = Number(process.env.BENCH_PACKETS ?? 1000);
const rounds = Number(process.env.BENCH_ROUNDS ?? 7);
const lengths = [64, 1400];
/** Connections of one round, and of the one that counts memory. */
const opened = 100;
const held = 4000;
const vip = '10.99.0.10';
const server = '10.31.4.2';
const laddr = '10.31.3.101';

interface Site {
  balancer: Namespace;
  outside: Namespace;
  inside: Namespace;
}

/** Without a time-out, because the clock jumps while the only CPU waits for the host. */
const run = (where: Namespace, command: string | string[], input = '') =>
  where.run(command, { input, timeout: 0 }).stdout;

function mac(where: Namespace, device: string): string {
  const [link] = JSON.parse(run(where, ['ip', '-json', 'link', 'show', 'dev', device])) as { address: string }[];
  return link?.address ?? '';
}

/** A drop at a device's ingress. Sockets of AF_PACKET still see what it drops. */
function dropAt(where: Namespace, device: string): void {
  const chain = `chain c { type filter hook ingress device ${device} priority 0; ip protocol tcp counter drop; }`;
  run(where, ['nft', '-f', '-'], `table netdev at-${device} {\n${chain}\n}\n`);
}

function dropped(where: Namespace): number {
  return Number(/packets (\d+)/.exec(run(where, ['nft', 'list', 'ruleset']))?.[1] ?? -1);
}

/** Runs test/bench/headroom.c for the balancer's two devices; resolves once their frames have the headroom of a card's. */
async function giveHeadroom(balancer: Namespace): Promise<ChildProcess> {
  const child = spawn(process.env.BENCH_HEADROOM ?? 'headroom', [balancer.name, 'out0', 'in0'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const { value } = await createInterface(child.stdout)[Symbol.asyncIterator]().next();
  if (value !== 'ready') throw new Error(`${balancer.name}: no XDP program`);
  return child;
}

/** Each mode has a balancer in a namespace of its own, as hooks and tables of IPVS are per namespace. */
function site(topology: Topology, mode: Mode): Site {
  const outside = topology.namespace(`out-${mode}`);
  const balancer = topology.namespace(`lb-${mode}`);
  const inside = topology.namespace(`in-${mode}`);
  const end = (where: Namespace, device: string, address: string) => ({ in: where, device, addresses: [address] });
  topology.link(end(outside, 'lb0', '10.2.0.1/24'), end(balancer, 'out0', '10.2.0.2/24'));
  topology.link(end(balancer, 'in0', '10.31.3.2/24'), end(inside, 'lb0', '10.31.3.1/24'));
  run(balancer, 'echo 1 > /proc/sys/net/ipv4/ip_forward');
  balancer.ip(
    'route add default via 10.2.0.1',
    'route add 10.31.0.0/16 via 10.31.3.1',
    `addr add ${vip}/32 dev lo`,
    `addr add ${laddr}/32 dev in0`,
    `neigh replace 10.2.0.1 lladdr ${mac(outside, 'lb0')} dev out0 nud permanent`,
    `neigh replace 10.31.3.1 lladdr ${mac(inside, 'lb0')} dev in0 nud permanent`,
  );
  dropAt(outside, 'lb0');
  dropAt(inside, 'lb0');
  const service = `-A -t ${vip}:80 -s rr`;
  const lines: Record<Mode, string[]> = {
    drop: [],
    plain: [],
    idle: [service, `-a -t ${vip}:80 -r ${server}:80 -m`],
    nat: [service, `-a -t ${vip}:80 -r ${server}:80 -m`],
    fullnat: [service, `-P -t ${vip}:80 -z ${laddr}`, `-a -t ${vip}:80 -r ${server}:80 -b`],
  };
  if (lines[mode].length > 0) run(balancer, ['lvsadm', '-R'], `${lines[mode].join('\n')}\n`);
  return { balancer, outside, inside };
}

/** A connection through a site, and the rounds of segments on it. */
class Connection {
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;

  /** Throws if the connection cannot be opened. */
  static async open(at: Site, mode: Mode, length: number): Promise<Connection> {
    const opened = new Connection(at, mode, length);
    if ((await opened.line()) !== 'ready') throw new Error(`${mode}: no connection`);
    return opened;
  }

  private constructor(at: Site, mode: Mode, length: number) {
    const destination = mode === 'nat' || mode === 'fullnat' ? vip : server;
    this.child = spawn(
      process.env.BENCH_SEGMENTS ?? 'segments',
      [
        ...[at.outside.name, 'lb0', mac(at.balancer, 'out0'), '10.1.0.2', `${destination}:80`],
        ...[at.inside.name, 'lb0', mac(at.balancer, 'in0'), String(packets), String(length), '1'],
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    if (this.child.stdout === null) throw new Error('no stdout');
    this.lines = createInterface(this.child.stdout)[Symbol.asyncIterator]();
  }

  /** Waits without a timer, whose instructions would be counted. */
  private async line(): Promise<string> {
    const { value, done } = await this.lines.next();
    return done ? '' : value;
  }

  private async measure(command: string): Promise<number> {
    this.child.stdin?.write(`${command}\n`);
    return Number((await this.line()).split(' ')[1]);
  }

  /** Instructions for each packet of one round. */
  async round(direction: string): Promise<number> {
    return (await this.measure(direction)) / packets;
  }

  /** Instructions for each of `count` more connections: all their segments, from the senders to the other side. */
  async connections(what: 'open' | 'whole', count: number): Promise<number> {
    return (await this.measure(`${what} ${count}`)) / count;
  }

  close(): void {
    this.child.stdin?.end();
  }
}

/** Makes the balancer of mode `drop` drop on both of its devices, or not, while its connection is opened. */
function dropAll(balancer: Namespace, on: boolean): void {
  for (const device of ['out0', 'in0']) {
    if (on) dropAt(balancer, device);
    else run(balancer, `nft delete table netdev at-${device} 2>/dev/null || true`);
  }
}

async function measure(sites: Record<Mode, Site>, length: number) {
  dropAll(sites.drop.balancer, false);
  const connections = {} as Record<Mode, Connection>;
  for (const mode of modes) connections[mode] = await Connection.open(sites[mode], mode, length);
  dropAll(sites.drop.balancer, true);

  const measureOne = async (mode: Mode, direction: (typeof directions)[number]) => {
    const sink = direction === 'in' ? sites[mode].inside : sites[mode].outside;
    const seen = dropped(sink);
    const cost = await connections[mode].round(direction);
    if (mode !== 'drop' && dropped(sink) - seen < packets) throw new Error(`${mode}, ${direction}: packets were lost`);
    return cost;
  };
  const costs = {} as Record<(typeof directions)[number], Record<Mode, number[]>>;
  for (const direction of directions) {
    costs[direction] = { drop: [], plain: [], idle: [], nat: [], fullnat: [] };
    for (let i = 0; i < rounds; i += 1) {
      for (const mode of modes) costs[direction][mode].push(await measureOne(mode, direction));
      process.stderr.write(`bench: instructions: ${length} bytes, ${direction}, round ${i + 1} of ${rounds}\n`);
    }
  }
  for (const mode of modes) connections[mode].close();
  return costs;
}

/** Figures of one direction and length, relative to plain forwarding. */
function summarize(costs: Record<Mode, number[]>) {
  const each = costs.fullnat.map((_, i) => {
    const at = (mode: Mode) => costs[mode][i] ?? Number.NaN;
    const plain = at('plain');
    return {
      forwarding: plain - at('drop'),
      idle: at('idle') - plain,
      nat: at('nat') - plain,
      fullnat: at('fullnat') - plain,
      ratio: (at('fullnat') - plain) / (at('nat') - plain),
      whole: (at('fullnat') - at('drop')) / (at('nat') - at('drop')),
    };
  });
  const keys = ['forwarding', 'idle', 'nat', 'fullnat', 'ratio', 'whole'] as const;
  return Object.fromEntries(keys.map((key) => [key, spread(each.map((one) => one[key]))]));
}

const translated = ['plain', 'nat', 'fullnat'] as const;
type Translated = (typeof translated)[number];

/** Measures the cost of an opening and of a whole connection beyond a router's, and the ratio of the two methods. */
async function measureConnections(sites: Record<Mode, Site>) {
  const results = [];
  for (const what of ['open', 'whole'] as const) {
    const costs: Record<Translated, number[]> = { plain: [], nat: [], fullnat: [] };
    const senders = {} as Record<Translated, Connection>;
    for (const mode of translated) {
      senders[mode] = await Connection.open(sites[mode], mode, 64);
      await senders[mode].connections(what, opened);
    }
    for (let i = 0; i < rounds; i += 1) {
      for (const mode of translated) costs[mode].push(await senders[mode].connections(what, opened));
      process.stderr.write(`bench: instructions: ${what}, round ${i + 1} of ${rounds}\n`);
    }
    for (const mode of translated) senders[mode].close();
    const each = costs.plain.map((plain, i) => {
      const nat = (costs.nat[i] ?? Number.NaN) - plain;
      const fullnat = (costs.fullnat[i] ?? Number.NaN) - plain;
      return { forwarding: plain, nat, fullnat, ratio: fullnat / nat };
    });
    const keys = ['forwarding', 'nat', 'fullnat', 'ratio'] as const;
    const spreads = Object.fromEntries(keys.map((key) => [key, spread(each.map((one) => one[key]))]));
    results.push({ what, connections: opened, rounds, ...spreads });
  }
  return results;
}

/** Bytes that the kernel's slabs have now (proc(5), meminfo: Slab). */
const slab = () => Number(/^Slab:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]) * 1024;

/** Bytes of slab for each open connection, beyond what the same segments leave behind on a router. */
async function measureMemory(sites: Record<Mode, Site>) {
  const grown = {} as Record<Translated, number>;
  for (const mode of translated) {
    const sender = await Connection.open(sites[mode], mode, 64);
    const before = slab();
    await sender.connections('open', held);
    grown[mode] = (slab() - before) / held;
    sender.close();
  }
  const [nat, fullnat] = [grown.nat - grown.plain, grown.fullnat - grown.plain];
  return [{ connections: held, nat, fullnat, ratio: fullnat / nat }];
}

const topology = new Topology();
const helpers: ChildProcess[] = [];
try {
  const sites = Object.fromEntries(modes.map((mode) => [mode, site(topology, mode)])) as Record<Mode, Site>;
  for (const { balancer } of Object.values(sites)) helpers.push(await giveHeadroom(balancer));
  const segments = [];
  for (const length of lengths) {
    const costs = await measure(sites, length);
    for (const direction of directions) {
      segments.push({ direction, length, packets, rounds, ...summarize(costs[direction]) });
    }
  }
  const results = { segments, connections: await measureConnections(sites), memory: await measureMemory(sites) };
  writeFileSync(join(process.env.LAB_OUT ?? '.', 'instructions.json'), `${JSON.stringify(results, null, 2)}\n`);
} finally {
  for (const helper of helpers) helper.stdin?.end();
  await topology.destroy();
}
