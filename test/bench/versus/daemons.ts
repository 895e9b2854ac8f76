// SPDX-License-Identifier: MIT
// Runs lvsd and keepalived for the benches: in a namespace, in the foreground, output to a file.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Namespace, Running } from '../../../lab/topology.ts';
import { family } from './processes.ts';
import { keepalivedFile, lvsdFile, type Setup } from './setups.ts';

export const daemons = ['keepalived', 'lvsd'] as const;
export type DaemonName = (typeof daemons)[number];

const FILES = { keepalived: keepalivedFile, lvsd: lvsdFile } as const;

export class Daemon {
  readonly name: DaemonName;
  readonly #dir: string;
  readonly #namespace: Namespace;
  #running: Running | undefined;

  constructor(name: DaemonName, namespace: Namespace) {
    this.name = name;
    this.#namespace = namespace;
    this.#dir = `/run/bench-${name}`;
    mkdirSync(this.#dir, { recursive: true });
  }

  get #file(): string {
    return join(this.#dir, this.name === 'lvsd' ? 'lvsd.yaml' : 'keepalived.conf');
  }

  write(setup: Setup): void {
    writeFileSync(this.#file, FILES[this.name](setup));
  }

  /** Starts it without the state of an earlier run. */
  start(env: Record<string, string> = {}): void {
    const at = (name: string) => join(this.#dir, name);
    const command =
      this.name === 'lvsd'
        ? `lvsd run -f ${this.#file} --socket ${at('socket')} --state ${at('state')}`
        : `keepalived -n -l -C -f ${this.#file} -p ${at('pid')} -c ${at('checkers.pid')}`;
    const setUp = `rm -f ${at('state')} ${at('pid')} ${at('checkers.pid')}`;
    this.#running = this.#namespace.spawn(`${setUp}; exec ${command} >${at('log')} 2>&1`, { env });
  }

  get pid(): number {
    const pid = this.#running?.child.pid;
    if (pid === undefined) throw new Error(`${this.name} has not been started`);
    return pid;
  }

  /** Ids of the daemon and its descendants. */
  get pids(): number[] {
    return family(this.pid);
  }

  reload(): void {
    process.kill(this.pid, 'SIGHUP');
  }

  get log(): string {
    return readFileSync(join(this.#dir, 'log'), 'utf8');
  }

  /** Throws with the end of its log if it has ended. */
  mustRun(): void {
    const child = this.#running?.child;
    if (child && child.exitCode === null && child.signalCode === null) return;
    throw new Error(`${this.name} ended: ${this.log.slice(-2000)}`);
  }

  /** Kills it and its descendants; the kernel's table stays. */
  async kill(): Promise<void> {
    const { pids } = this;
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended with its parent.
      }
    }
    await this.#running?.ended;
  }
}
