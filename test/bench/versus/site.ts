// SPDX-License-Identifier: MIT
// One namespace per balancer, and one with all real servers: it owns every address of 10.32.0.0/11.
import { spawn } from 'node:child_process';
import { type Namespace, Topology } from '../../../lab/topology.ts';
import type { Setup, SetupService } from './setups.ts';

export interface Site {
  balancer: Namespace;
  servers: Namespace;
  destroy: () => Promise<void>;
}

/** Creates new namespaces, so that nothing of an earlier round is left. */
export function site(): Site {
  const topology = new Topology();
  const balancer = topology.namespace('balancer');
  const servers = topology.namespace('servers');
  topology.link(
    { in: balancer, device: 'in0', addresses: ['10.31.0.1/24'] },
    { in: servers, device: 'eth0', addresses: ['10.31.0.2/24'] },
  );
  balancer.ip('route add 10.32.0.0/11 via 10.31.0.2');
  servers.ip('route add local 10.32.0.0/11 dev lo');
  return { balancer, servers, destroy: () => topology.destroy() };
}

/** Accepts every connection to port 80 of every address, and closes it: test/bench/listener.c. */
export function startListener(servers: Namespace): { stop: () => void } {
  const [file = '', ...args] = servers.inside([process.env.BENCH_LISTENER ?? 'listener', '80']);
  const child = spawn(file, args, { stdio: 'inherit' });
  return { stop: () => child.kill('SIGKILL') };
}

/** `count` services with `each` real servers each, no two of which share an address. */
export function services(count: number, each: number, check: SetupService['check']): Setup['services'] {
  return Array.from({ length: count }, (_, i) => ({
    name: `s${i}`,
    address: `10.99.${i >> 8}.${i & 255}`,
    port: 80,
    check,
    servers: Array.from({ length: each }, (_, j) => {
      const n = i * each + j;
      return { address: `10.${32 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`, port: 80, weight: 1 };
    }),
  }));
}
