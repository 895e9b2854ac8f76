// SPDX-License-Identifier: MIT
/** plan and apply without a daemon: the file against the kernel, every real server counting as up. */
import type { Config } from '../../config/types.ts';
import { serviceKeyText } from '../../ipvs/index.ts';
import { difference, readActual } from '../../plan/index.ts';
import type { Ownership, Plan } from '../../plan/types.ts';
import { desired } from '../model/desired-state.ts';
import { Situation } from '../model/runtime-state.ts';
import { roster } from '../model/virtual-services.ts';
import type { Kernel } from '../reconcile/kernel.ts';
import { readState, writeState } from '../state/file.ts';
import { fromState, type Memory, NO_MEMORY, toState } from '../state/snapshot.ts';

export class Offline {
  readonly #config: Config;
  readonly #kernel: Kernel;
  readonly #state: string;
  readonly #memory: Memory;
  readonly #situation = new Situation();

  /** `state`: path of the state file. */
  static async open(config: Config, kernel: Kernel, state: string): Promise<Offline> {
    const read = await readState(state, { maxAge: Number.POSITIVE_INFINITY });
    return new Offline(config, kernel, state, read.state ? fromState(read.state) : NO_MEMORY);
  }

  private constructor(config: Config, kernel: Kernel, state: string, memory: Memory) {
    this.#config = config;
    this.#kernel = kernel;
    this.#state = state;
    this.#memory = memory;
    this.#situation.configure(roster(config), Date.now());
    // What an operator drained stays so; what checks said is history without a daemon.
    this.#situation.restore({ quorum: new Map(), overrides: this.#memory.overrides, leaving: [] });
    this.#situation.settleQuorums();
  }

  async plan(): Promise<Plan> {
    const actual = await readActual(this.#kernel.ipvs, this.#kernel.addresses);
    return difference(desired(this.#config, this.#situation), actual, this.#ownership());
  }

  /** Notes what the file names as lvsd's own; to be called before the kernel is changed. */
  async remember(): Promise<void> {
    const names = new Set([
      ...this.#memory.services,
      ...this.#situation.roster.map(({ service }) => serviceKeyText(service)),
    ]);
    await writeState(this.#state, toState(this.#situation, names, this.#memory.health));
  }

  #ownership(): Ownership {
    return this.#config.manage === 'all' ? { all: true } : { all: false, services: new Set(this.#memory.services) };
  }
}
