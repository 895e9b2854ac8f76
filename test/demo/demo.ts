// SPDX-License-Identifier: MIT
// npm run demo: runs in the lab's guest. Shows a load balancer step by step and checks every claim.
import { type LvsTopology, lvsTopology, startNginx } from '../../lab/topology.ts';
import { failover } from './failover.ts';
import { synFlood } from './flood.ts';
import { fullnat } from './fullnat.ts';
import { Balancer, daemonStory, programByFile, quietHealth } from './lvsd.ts';
import { plainNat } from './plain-nat.ts';
import { Story } from './story.ts';

const drawing = `
  client            router            BALANCER            inside router        real servers
  10.1.0.2 ──────── 10.1.0.1
                    10.2.0.1 ──────── 10.2.0.2
                                      10.99.0.10 (the service)
                                      10.31.3.2 ───────── 10.31.3.1
                                                          10.31.4.1 ────────── rs1 10.31.4.2
                                                          10.31.5.1 ────────── rs2 10.31.5.2`;

function introduce(story: Story, lvs: LvsTopology): void {
  story.step(
    'The network',
    `A client requests http://10.99.0.10/. That address belongs to a load balancer, which spreads the requests over two real
servers in two different subnets. Everything below is real: six network namespaces in one virtual machine with Debian's
own kernel, this project's ip_vs modules in it, and Debian's own nginx on the real servers.
${drawing}`,
  );
  const route = story.show(lvs.rs1, 'ip route');
  const get = story.show(lvs.rs1, 'ip route get 10.1.0.2');
  story.claim('the real servers have a route to the balancer', route.stdout.includes('10.31.3.0/24 via 10.31.4.1'));
  story.claim('they have no route to the client', get.status !== 0 && /unreachable/i.test(get.stderr), get.stdout);
}

const story = new Story();
const lvs = lvsTopology();
const balancer = new Balancer(story, lvs);
try {
  const servers = {
    rs1: startNginx(lvs.rs1, { server: quietHealth }),
    rs2: startNginx(lvs.rs2, { server: quietHealth }),
  };
  introduce(story, lvs);
  plainNat(story, lvs, servers);
  await programByFile(story, lvs, balancer);
  await fullnat(story, lvs, servers);
  await daemonStory(story, lvs, servers, balancer);
  await synFlood(story, lvs);
  await failover(story, lvs);
} finally {
  await balancer.stop();
  await lvs.destroy();
}
process.exitCode = story.end();
