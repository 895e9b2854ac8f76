// SPDX-License-Identifier: MIT
// Runs in the lab with --icount, where the clock counts instructions: instructions of a balancer for a packet of an
// established connection, for the opening of a connection, and for a whole short one; and the memory of a connection.
// Writes $LAB_OUT/instructions.json.
import type { ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Topology } from '../../lab/topology.ts';
import { Connection, dropAll, dropped, giveHeadroom, type Mode, modes, type Site, site } from './balancers.ts';
import { spread } from './figures.ts';

const directions = ['in', 'out'] as const;

const packets = Number(process.env.BENCH_PACKETS ?? 1000);
const rounds = Number(process.env.BENCH_ROUNDS ?? 7);
const lengths = [64, 1400];
/** Connections of one round, and of the one that counts memory. */
const opened = 100;
const held = 4000;

async function measure(sites: Record<Mode, Site>, length: number) {
  dropAll(sites.drop.balancer, false);
  const connections = {} as Record<Mode, Connection>;
  for (const mode of modes) connections[mode] = await Connection.open(sites[mode], mode, length, packets);
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

/**
 * Bytes of slab for each open connection, beyond what the same segments leave behind on a router. Some are opened before:
 * they take the objects that connections of earlier rounds have left free.
 */
async function measureMemory(sites: Record<Mode, Site>) {
  const grown = {} as Record<Translated, number>;
  for (const mode of translated) {
    const sender = await Connection.open(sites[mode], mode, 64);
    await sender.connections('open', 2 * opened * rounds);
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
