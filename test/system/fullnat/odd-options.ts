// SPDX-License-Identifier: MIT
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import type { LvsTopology } from '../../../lab/topology.ts';

/** odd-options.c on the client leg of a topology, in place of the link between client and router. */
export class OddOptions {
  readonly device = 'odd0';
  /** Number of segments that it has changed, set by stop(). */
  changed = 0;
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;

  private constructor(child: ChildProcess, reader: Interface) {
    this.child = child;
    this.lines = reader[Symbol.asyncIterator]();
  }

  static async start(lvs: LvsTopology, program: string, clients: string[]): Promise<OddOptions> {
    spawnSync('modprobe', ['tun']);
    const child = spawn(program, [lvs.client.name, lvs.router.name], { stdio: ['pipe', 'pipe', 'inherit'] });
    const odd = new OddOptions(child, createInterface({ input: child.stdout }));
    if ((await odd.lines.next()).value !== 'ready') throw new Error('odd-options does not start');
    const up = 'link set odd0 up mtu 1500 txqueuelen 20000';
    lvs.client.ip(up, `route replace default dev odd0 src ${clients[0]}`);
    lvs.router.ip(up, ...clients.map((client) => `route add ${client}/32 dev odd0`));
    return odd;
  }

  async stop(): Promise<void> {
    const gone = once(this.child, 'exit');
    this.child.stdin?.end();
    this.changed = Number((await this.lines.next()).value);
    await gone;
  }
}
