// SPDX-License-Identifier: MIT
// Stock LVS with balancer and real servers in different subnets: NAT, and why it fails there.
import type { LvsTopology, Nginx } from '../../lab/topology.ts';
import type { Story } from './story.ts';

export interface Servers {
  rs1: Nginx;
  rs2: Nginx;
}

/** Command for a request of the client from a given source port, so that it can be found in logs. */
export const request = (port: number, path = '/') =>
  `curl --silent --show-error --max-time 5 --local-port ${port} http://10.99.0.10${path}`;

/** Programs NAT and shows that the real servers cannot answer. */
export function plainNat(story: Story, lvs: LvsTopology, servers: Servers): void {
  story.step(
    'Plain NAT fails here',
    `Stock LVS rewrites only the destination (-m, for masquerading). The real server sees the client's address as the
source and would have to answer to it; but it has no route to the client, so its answer is never sent. The usual remedy is
to make the balancer every real server's gateway, which ties them to the balancer's own subnet.`,
  );
  story.program(lvs.balancer, [
    'lvsadm -A -t 10.99.0.10:80 -s rr',
    'lvsadm -a -t 10.99.0.10:80 -r 10.31.4.2:80 -m',
    'lvsadm -a -t 10.99.0.10:80 -r 10.31.5.2:80 -m',
  ]);
  const got = story.show(lvs.client, request(20001));
  story.claim('the request runs into its time-out', got.status === 28, `curl ended with ${got.status}: ${got.stdout}`);
  const connections = story.show(lvs.balancer, 'lvsadm -Lnc');
  story.claim(
    'the balancer has forwarded the SYN and waits for an answer',
    /SYN_RECV\s+10\.1\.0\.2:20001\s+10\.99\.0\.10:80\s+10\.31\.[45]\.2:80/.test(connections.stdout),
    connections.stdout,
  );
  const entries = [...servers.rs1.log(), ...servers.rs2.log()];
  story.claim('no real server has logged a request', entries.length === 0, JSON.stringify(entries));
}
