// SPDX-License-Identifier: MIT
// Counts the instructions of a SYN that is accepted, and of one that a full pool of local ports refuses, each beyond
// those of a SYN that is dropped on receipt. For a VM with --icount.
import type { ChildProcess } from 'node:child_process';
import { type Namespace, Topology } from '../../lab/topology.ts';
import { Connection, dropAll, giveHeadroom, run, type Site, site } from './balancers.ts';

/** SYNs of one round. */
const syns = 100;

export interface SynCost {
  accepted: number;
  refused: number;
}

function refusals(balancer: Namespace): number {
  const row = /^.*fullnat_exhausted *:(.*)$/m.exec(run(balancer, 'cat /proc/net/ip_vs_ext_stats'))?.[1] ?? '';
  return row
    .trim()
    .split(/\s+/)
    .reduce((total, value) => total + Number(value), 0);
}

/** Fills a pool of `ports`, and returns the costs of each round. Throws if SYNs are not refused then. */
export async function synCosts(ports: number, rounds: number, say: (text: string) => void): Promise<SynCost[]> {
  const topology = new Topology();
  const helpers: ChildProcess[] = [];
  try {
    const places = ['drop', 'fullnat', 'full'] as const;
    const sites: Record<(typeof places)[number], Site> = {
      drop: site(topology, 'drop'),
      fullnat: site(topology, 'fullnat'),
      full: site(topology, 'fullnat', ports),
    };
    for (const place of places) helpers.push(await giveHeadroom(sites[place].balancer));
    dropAll(sites.drop.balancer, false);
    const senders = {
      drop: await Connection.open(sites.drop, 'drop', 64),
      fullnat: await Connection.open(sites.fullnat, 'fullnat', 64),
      full: await Connection.open(sites.full, 'fullnat', 64),
    };
    dropAll(sites.drop.balancer, true);
    // All but some that the first round takes. Established connections are not taken over.
    await senders.full.connections('open', ports - 10);
    say(`${ports} ports are taken`);
    const round = async () => {
      const costs = { drop: 0, fullnat: 0, full: 0 };
      for (const place of places) costs[place] = await senders[place].connections('syn', syns);
      return { accepted: costs.fullnat - costs.drop, refused: costs.full - costs.drop };
    };
    await round();
    const before = refusals(sites.full.balancer);
    const costs: SynCost[] = [];
    for (let i = 0; i < rounds; i += 1) {
      costs.push(await round());
      say(`round ${i + 1} of ${rounds}`);
    }
    const refused = refusals(sites.full.balancer) - before;
    if (refused < 0.95 * rounds * syns) throw new Error(`${refused} of ${rounds * syns} SYNs were refused`);
    for (const place of places) senders[place].close();
    return costs;
  } finally {
    for (const helper of helpers) helper.stdin?.end();
    await topology.destroy();
  }
}
