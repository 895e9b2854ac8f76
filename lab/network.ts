// SPDX-License-Identifier: MIT
// Networks of namespaces inside the lab's guest. destroy() ends the programs and removes the namespaces, with their
// devices, addresses, routes and IPVS tables. Namespaces of a process that died before it could do so make way for new
// ones of the same name, so that a test file that crashes does not make the next ones fail.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError, Namespace, type Running } from './namespace.ts';

/** One end of a veth pair. */
export interface End {
  in: Namespace;
  device: string;
  /** With its prefix: 10.1.0.2/24. */
  addresses?: string[];
}

function root(command: string, args: string[], input = ''): void {
  const ended = spawnSync(command, args, { encoding: 'utf8', input });
  if (ended.status !== 0) {
    throw new CommandError('lab', [command, ...args, input], { ...ended, status: ended.status ?? 1 });
  }
}

/** For each namespace of a topology a file with the id of the process that made it. */
const OWNERS = '/run/lab-topology';
const ownerOf = (name: string) => join(OWNERS, name);

/** Removes a namespace, and ends what still runs in it: programs in the background are no longer our children. */
function remove(name: string): void {
  const pids = spawnSync('ip', ['netns', 'pids', name], { encoding: 'utf8' }).stdout.split('\n').filter(Boolean);
  for (const pid of pids) signal(Number(pid), 'SIGKILL');
  root('ip', ['netns', 'del', name]);
  rmSync(ownerOf(name), { force: true });
}

/** True if a topology's namespace was left by a process that no longer runs. */
function abandoned(name: string): boolean {
  if (!existsSync(ownerOf(name)) || !existsSync(`/run/netns/${name}`)) return false;
  return !signal(Number(readFileSync(ownerOf(name), 'utf8')), 0);
}

export class Topology {
  private readonly namespaces: Namespace[] = [];
  private readonly running: Running[] = [];

  /** Makes a namespace with its loopback up. Names are the kernel's: short, without slashes. */
  namespace(name: string): Namespace {
    if (abandoned(name)) remove(name);
    root('ip', ['netns', 'add', name]);
    mkdirSync(OWNERS, { recursive: true });
    writeFileSync(ownerOf(name), String(process.pid));
    const made = new Namespace(name, (running) => this.running.push(running));
    this.namespaces.push(made);
    made.ip('link set lo up');
    return made;
  }

  /** Joins two namespaces by a veth pair, both ends up and with their addresses. */
  link(a: End, b: End, options: { mtu?: number } = {}): void {
    const mtu = options.mtu === undefined ? '' : `mtu ${options.mtu} `;
    const peer = `peer name ${b.device} ${mtu}netns ${b.in.name}`;
    root('ip', ['-batch', '-'], `link add ${a.device} ${mtu}netns ${a.in.name} type veth ${peer}\n`);
    for (const end of [a, b]) {
      // nodad: an IPv6 address is usable at once.
      const addresses = (end.addresses ?? []).map(
        (address) => `addr add ${address} dev ${end.device}${address.includes(':') ? ' nodad' : ''}`,
      );
      end.in.ip(...addresses, `link set ${end.device} up`);
    }
  }

  /** A bridge in `in` with these devices of the same namespace as its ports. */
  bridge(inside: Namespace, name: string, ports: string[], addresses: string[] = []): void {
    inside.ip(
      `link add ${name} type bridge`,
      ...ports.map((port) => `link set ${port} master ${name}`),
      ...addresses.map((address) => `addr add ${address} dev ${name}`),
      `link set ${name} up`,
    );
  }

  /** Ends everything, in reverse order of creation. Safe to call twice. */
  async destroy(): Promise<void> {
    await Promise.all(this.running.splice(0).map((running) => running.stop()));
    for (const made of this.namespaces.splice(0).reverse()) remove(made.name);
  }
}

/** Returns false if the process has ended. */
function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

/** A value, or a sign that there is none yet. */
type Result<T> = T | undefined | false;

/**
 * Waits until `test` returns, or resolves to, anything but undefined or false. Throws after `timeout` ms, naming `what`:
 * by default after a minute, since an emulated CPU can be slow beside another one.
 */
export async function until<T>(what: string, test: () => Result<T> | Promise<Result<T>>, timeout = 60_000): Promise<T> {
  const end = Date.now() + timeout;
  for (;;) {
    const value = await test();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > end) throw new Error(`timed out after ${timeout} ms waiting for ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}
