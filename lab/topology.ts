// SPDX-License-Identifier: MIT
// The library of tests, demo and benchmarks inside the lab's guest.
export { type LvsOptions, type LvsTopology, lvsTopology } from './lvs-topology.ts';
export { CommandError, Namespace, type Offloads, type Result, type Running, type RunOptions } from './namespace.ts';
export { type End, Topology, until } from './network.ts';
export { type Nginx, startNginx } from './nginx.ts';
