// SPDX-License-Identifier: MIT
// What stock LVS offers where balancer and real servers are in different subnets: NAT, and what it demands.
import { setTimeout as sleep } from 'node:timers/promises';
import type { LvsTopology, Nginx } from '../lab/topology.ts';
import type { Story } from './story.ts';

export interface Servers {
  rs1: Nginx;
  rs2: Nginx;
}

const request = (port: number, path = '/') =>
  `curl --silent --show-error --max-time 3 --local-port ${port} http://10.99.0.10${path}`;

/** NAT without a way back fails; with the real servers' default route led through the balancer it works. */
export async function plainNat(story: Story, lvs: LvsTopology, servers: Servers): Promise<void> {
  failsWithoutRoute(story, lvs, servers);
  worksWithRoute(story, lvs, servers);
  await totals(story, lvs);
}

function failsWithoutRoute(story: Story, lvs: LvsTopology, servers: Servers): void {
  story.step(
    'Plain NAT fails here',
    `Stock LVS rewrites only the destination: the real server sees the client's address as the source of the packet and
sends its answer there. It has no route to it, so the answer is never sent.`,
  );
  for (const command of [
    'ipvsadm -A -t 10.99.0.10:80 -s rr',
    'ipvsadm -a -t 10.99.0.10:80 -r 10.31.4.2:80 -m',
    'ipvsadm -a -t 10.99.0.10:80 -r 10.31.5.2:80 -m',
  ]) {
    const { status, stderr } = story.show(lvs.balancer, command);
    if (status !== 0) story.claim(`${command} works`, false, stderr);
  }
  const got = story.show(lvs.client, request(20001));
  story.claim('the request runs into its time-out', got.status === 28, `curl ended with ${got.status}: ${got.stdout}`);
  const connections = story.show(lvs.balancer, 'ipvsadm -Lnc');
  story.claim(
    'the balancer has passed the SYN on and waits for an answer',
    /SYN_RECV\s+10\.1\.0\.2:20001\s+10\.99\.0\.10:80\s+10\.31\.[45]\.2:80/.test(connections.stdout),
    connections.stdout,
  );
  const entries = [...servers.rs1.log(), ...servers.rs2.log()];
  story.claim('no real server has logged a request', entries.length === 0, JSON.stringify(entries));
}

function worksWithRoute(story: Story, lvs: LvsTopology, servers: Servers): void {
  story.step(
    'NAT with the real servers bent to the balancer',
    `NAT's remedy: every real server, and every router between, sends whatever goes to clients through the balancer.`,
  );
  story.show(lvs.rs1, 'ip route add default via 10.31.4.1');
  story.show(lvs.rs2, 'ip route add default via 10.31.5.1');
  story.show(lvs.inside, 'ip route add default via 10.31.3.2');
  const answers = [20011, 20012, 20013, 20014].map((port) => story.show(lvs.client, request(port)).stdout.trim());
  story.claim('four requests are answered, two by each server', answers.sort().join(' ') === 'rs1 rs1 rs2 rs2');
  const seen = [...servers.rs1.log(), ...servers.rs2.log()].map((entry) => `${entry.address}:${entry.port}`).sort();
  story.claim(
    "the real servers' nginx logged the client's own addresses and ports",
    seen.join(' ') === '10.1.0.2:20011 10.1.0.2:20012 10.1.0.2:20013 10.1.0.2:20014',
    seen.join(' '),
  );
}

async function totals(story: Story, lvs: LvsTopology): Promise<void> {
  story.step('Totals', 'IPVS adds its counters up every two seconds; after a short wait:');
  await sleep(2500);
  const { stdout } = story.show(lvs.balancer, 'ipvsadm -Ln --stats');
  const row = /^TCP\s+10\.99\.0\.10:80\s+(\d+)\s+(\d+)\s+(\d+)/m.exec(stdout) ?? [];
  story.claim('five connections were counted, the lost one among them', Number(row[1]) === 5, stdout);
  story.claim('packets were counted both ways', Number(row[2]) > 5 && Number(row[3]) > 4, stdout);
}
