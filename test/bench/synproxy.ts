// SPDX-License-Identifier: MIT
// Runs in the lab with --icount, where the clock counts instructions: those of a SYN that SYN proxy answers, beside a
// listener's SYN cookies and FULLNAT without it; of a packet of a proxied connection; and of whole connections, also
// beside a flood. Writes $LAB_OUT/synproxy.json.
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Namespace, Topology } from '../../lab/topology.ts';
import { extStats } from '../system/fullnat/rig.ts';
import { closeAll, listen } from '../system/fullnat/tcp.ts';
import { Connection, dropAll, dropped, giveHeadroom, run, type Site, type SynMode, site } from './balancers.ts';
import { spread } from './figures.ts';

const packets = Number(process.env.BENCH_PACKETS ?? 1000);
const rounds = Number(process.env.BENCH_ROUNDS ?? 7);
/** SYNs of a round; connections of a round, alone and beside a flood (100 SYNs for each: FLOOD in segments.c). */
const syns = 100;
const opened = 100;
const flooded = 20;
const [short, long] = [64, 1400];
const directions = ['in', 'out'] as const;

const say = (text: string) => process.stderr.write(`bench: synproxy: ${text}\n`);

type Sites = Record<'drop' | 'plain' | 'listener' | 'fullnat' | 'proxied', Site>;
const places = ['drop', 'plain', 'listener', 'fullnat', 'proxied'] as const satisfies readonly SynMode[];

/** Opens a connection at each of the places; what the one that drops would drop comes through meanwhile. */
async function openAll<P extends (typeof places)[number]>(sites: Sites, wanted: readonly P[], length: number) {
  dropAll(sites.drop.balancer, false);
  const senders = {} as Record<P, Connection>;
  for (const place of wanted) senders[place] = await Connection.open(sites[place], place, length, packets);
  dropAll(sites.drop.balancer, true);
  return senders;
}

const closeSenders = (senders: Record<string, Connection>) => {
  for (const sender of Object.values(senders)) sender.close();
};

type Senders = Record<(typeof places)[number], Connection>;

/** Runs `act`; throws if the host behind a place did not receive this many segments. */
async function received(where: Namespace, least: number, what: string, act: () => Promise<unknown>): Promise<void> {
  const before = dropped(where);
  await act();
  const count = dropped(where) - before;
  if (count < least) throw new Error(`${what}: ${count} of ${least} segments came through`);
}

/** SYNs, each beyond one that is dropped on receipt. */
async function measureSyns(sites: Sites, senders: Senders) {
  const wanted = ['drop', 'listener', 'fullnat', 'proxied'] as const;
  const costs: Record<(typeof wanted)[number], number>[] = [];
  const measure = async () => {
    for (let i = 0; i <= rounds; i++) {
      const cost = { drop: 0, listener: 0, fullnat: 0, proxied: 0 };
      for (const place of wanted) cost[place] = await senders[place].connections('syn', syns);
      // In the first round caches are filled.
      if (i > 0) costs.push(cost);
      say(`SYNs, round ${i} of ${rounds}`);
    }
  };
  const all = (rounds + 1) * syns;
  await received(sites.listener.outside, all, 'listener', () =>
    received(sites.proxied.outside, all, 'proxied', measure),
  );
  return {
    rounds,
    syns,
    listener: spread(costs.map(({ drop, listener }) => listener - drop)),
    fullnat: spread(costs.map(({ drop, fullnat }) => fullnat - drop)),
    proxied: spread(costs.map(({ drop, proxied }) => proxied - drop)),
    ratio: spread(costs.map(({ drop, listener, proxied }) => (proxied - drop) / (listener - drop))),
  };
}

/** Packets of an established connection. */
async function measurePackets(sites: Sites, senders: Omit<Senders, 'listener'>, length: number) {
  const wanted = ['drop', 'plain', 'fullnat', 'proxied'] as const;
  const results = [];
  for (const direction of directions) {
    const costs: Record<(typeof wanted)[number], number>[] = [];
    const measure = async () => {
      for (let i = 0; i < rounds; i++) {
        const cost = { drop: 0, plain: 0, fullnat: 0, proxied: 0 };
        for (const place of wanted) cost[place] = await senders[place].round(direction);
        costs.push(cost);
        say(`${length} bytes, ${direction}, round ${i + 1} of ${rounds}`);
      }
    };
    const side = direction === 'in' ? 'inside' : 'outside';
    const all = rounds * packets;
    await received(sites.fullnat[side], all, 'fullnat', () => received(sites.proxied[side], all, 'proxied', measure));
    results.push({
      ...{ direction, length, packets, rounds },
      fullnat: spread(costs.map(({ plain, fullnat }) => fullnat - plain)),
      proxied: spread(costs.map(({ plain, proxied }) => proxied - plain)),
      ratio: spread(costs.map(({ plain, fullnat, proxied }) => (proxied - plain) / (fullnat - plain))),
      whole: spread(costs.map(({ drop, fullnat, proxied }) => (proxied - drop) / (fullnat - drop))),
    });
  }
  return results;
}

/** Whole connections, with both ends; alone, and each beside a hundred SYNs that go no further. */
async function measureConnections(senders: Senders) {
  const wanted = ['fullnat', 'proxied'] as const;
  const results = [];
  for (const [what, count] of [
    ['whole', opened],
    ['flooded', flooded],
  ] as const) {
    const costs = [];
    for (let i = 0; i <= rounds; i++) {
      const cost = { fullnat: 0, proxied: 0 };
      for (const place of wanted) cost[place] = await senders[place].connections(what, count);
      if (i > 0) costs.push(cost);
      say(`${what}, round ${i} of ${rounds}`);
    }
    results.push({
      ...{ what, connections: count, rounds },
      fullnat: spread(costs.map(({ fullnat }) => fullnat)),
      proxied: spread(costs.map(({ proxied }) => proxied)),
      ratio: spread(costs.map(({ fullnat, proxied }) => proxied / fullnat)),
    });
  }
  return results;
}

const topology = new Topology();
const helpers: ChildProcess[] = [];
try {
  const sites = Object.fromEntries(places.map((place) => [place, site(topology, place)])) as Sites;
  for (const { balancer } of Object.values(sites)) helpers.push(await giveHeadroom(balancer));
  // 2: a cookie for every SYN.
  run(sites.listener.balancer, 'echo 2 > /proc/sys/net/ipv4/tcp_syncookies');
  await listen(sites.listener.balancer, 80, () => {});
  const senders = await openAll(sites, places, short);
  const results = {
    syns: await measureSyns(sites, senders),
    segments: await measurePackets(sites, senders, short),
    connections: await measureConnections(senders),
  };
  closeSenders(senders);
  const others = await openAll(sites, ['drop', 'plain', 'fullnat', 'proxied'], long);
  results.segments.push(...(await measurePackets(sites, others, long)));
  closeSenders(others);
  const { synproxy_ok_ack: good = 0 } = extStats(sites.proxied.balancer);
  if (good < (rounds + 1) * (opened + flooded)) throw new Error(`${good} connections were proxied`);
  writeFileSync(join(process.env.LAB_OUT ?? '.', 'synproxy.json'), `${JSON.stringify(results, null, 2)}\n`);
} finally {
  closeAll();
  for (const helper of helpers) helper.stdin?.end();
  await topology.destroy();
}
