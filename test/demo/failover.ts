// SPDX-License-Identifier: MIT
// The demo's last part: a second balancer takes over when the first one dies, under traffic.
import { mkdirSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LvsTopology, type Namespace, type Running, until } from '../../lab/topology.ts';
import { both, file, requests, yaml } from './lvsd.ts';
import type { Story } from './story.ts';

const FOLDER = '/run/demo/second';
const SOCKET = `${FOLDER}/control.sock`;

const vrrp = `vrrp:
  edge:
    interface: out0
    virtual_router_id: 51
    advert_interval: 100ms
    priority: 150
    addresses: [10.99.0.10/32]
nodes:
  lb2: { vrrp: { edge: { priority: 100 } } }
services:`;

/** Adds a balancer beside the first one: router and inside router become switches too. */
function secondBalancer({ topology, router, inside, balancer }: LvsTopology): Namespace {
  const second = topology.namespace('balancer2');
  const join = (where: Namespace, device: string, own: string, address: string) => {
    topology.link({ in: where, device: 'lb1' }, { in: second, device, addresses: [address] });
    topology.bridge(where, 'br0', ['lb0', 'lb1']);
    where.ip(`addr del ${own} dev lb0`, `addr add ${own} dev br0`);
  };
  join(router, 'out0', '10.2.0.1/24', '10.2.0.3/24');
  join(inside, 'in0', '10.31.3.1/24', '10.31.3.3/24');
  second.ip('route add default via 10.2.0.1', 'route add 10.31.0.0/16 via 10.31.3.1');
  second.sysctl({ 'net.ipv4.ip_forward': 0 });
  // The router asks on the network who has the address, instead of sending to one balancer.
  router.ip('route replace 10.99.0.10/32 dev br0');
  balancer.ip('addr del 10.99.0.10/32 dev lo', 'addr del 10.31.3.101/32 dev in0', 'addr del 10.31.3.102/32 dev in0');
  return second;
}

export async function failover(story: Story, lvs: LvsTopology): Promise<void> {
  story.step(
    'A balancer dies',
    `A second balancer with the same file. The virtual address and the local addresses follow a virtual router (VRRP): one of
the two has them. Then the cables of the first one are pulled while requests go on.`,
  );
  const second = secondBalancer(lvs);
  const text = yaml(both)
    .replace('inner: { addresses', 'inner: { device: in0, follow: edge, addresses')
    .replace('services:', vrrp);
  writeFileSync(file, text);
  story.show(lvs.balancer, `sed -n '/^local/,/^services/p' ${file}`);
  mkdirSync(FOLDER, { recursive: true });
  const holds = (where: Namespace) => where.run('ip -4 addr show dev out0').stdout.includes(' 10.99.0.10/');
  story.show(lvs.balancer, 'lvsctl reload');
  await until('the first balancer to have the address', () => holds(lvs.balancer), 20_000);
  const daemon: Running = second.spawn(
    `exec lvsd run -f ${file} --node lb2 --socket ${SOCKET} --state ${FOLDER}/state.json`,
  );
  await until('the second lvsd', () => daemon.stderr().includes('ready: '), 30_000);
  const state = () => second.run(`lvsctl --socket ${SOCKET} vrrp`, { accept: 'any' }).stdout;
  await until('the second balancer to be backup', () => /^edge +backup/m.test(state()), 20_000);
  const traffic = requests(lvs);
  await until('four answers', () => traffic.count() > 3);
  const before = traffic.count();
  const cutAt = Date.now();
  for (const where of [lvs.router, lvs.inside]) story.show(where, 'ip link set lb0 down');
  await until('the takeover', () => holds(second), 20_000);
  const seconds = (Date.now() - cutAt) / 1000;
  await sleep(3000);
  const codes = await traffic.stop();
  story.show(second, `lvsctl --socket ${SOCKET} vrrp`);
  const earlier = codes.slice(0, before);
  story.claim(
    'requests were answered before',
    earlier.every((code) => code === '200'),
    earlier.join(' '),
  );
  story.claim('the other one has the address', holds(second), `${seconds} s after the cables were pulled`);
  const rest = codes.slice(before);
  story.claim(
    'at most one request was lost, and the others went on',
    rest.filter((code) => code !== '200').length <= 1 && rest.filter((code) => code === '200').length > 3,
    codes.join(' '),
  );
  await daemon.stop();
}
