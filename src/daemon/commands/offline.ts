// SPDX-License-Identifier: MIT
/** plan and apply without a daemon: every real server counts as up, except for those that an operator drained. */
import { monotonic } from '../../base/clock.ts';
import type { Config } from '../../config/types.ts';
import type { PlanLine } from '../../control/messages.ts';
import { difference, type Obstacle, readActual } from '../../plan/index.ts';
import type { Ownership, Plan } from '../../plan/types.ts';
import { desiredState } from '../model/desired-state.ts';
import { RuntimeState } from '../model/runtime-state.ts';
import { virtualServices } from '../model/virtual-services.ts';
import { CookieSecret } from '../reconcile/cookie-secret.ts';
import { findObstacles, type Kernel } from '../reconcile/kernel.ts';
import { type ChangedSysctl, type SysctlChange, Sysctls } from '../reconcile/sysctls.ts';
import { writeState } from '../state/file.ts';
import { readSaved, type SavedNote, type StatePaths } from '../state/saved.ts';
import { type Snapshot, toState } from '../state/snapshot.ts';

export class Offline {
  readonly #config: Config;
  readonly #kernel: Kernel;
  readonly #statePath: string;
  readonly #saved: Snapshot;
  readonly #runtime = new RuntimeState();
  /** Files that are not used. */
  readonly notes: readonly SavedNote[];

  static async open(config: Config, kernel: Kernel, paths: StatePaths): Promise<Offline> {
    const { saved, notes } = await readSaved(paths);
    return new Offline(config, kernel, paths.state, saved, notes);
  }

  private constructor(config: Config, kernel: Kernel, statePath: string, saved: Snapshot, notes: readonly SavedNote[]) {
    this.#config = config;
    this.#kernel = kernel;
    this.#statePath = statePath;
    this.#saved = saved;
    this.notes = notes;
    this.#runtime.configure(virtualServices(config), monotonic());
    // Without a daemon, saved health states are out of date; overrides are not.
    this.#runtime.restore({ quorum: new Map(), overrides: saved.overrides, draining: [] });
    this.#runtime.updateQuorums();
    this.#runtime.ownsSync = saved.sync || config.connectionSync !== undefined;
  }

  async plan(): Promise<{ plan: Plan; sysctls: SysctlChange[]; obstacles: Obstacle[] }> {
    const actual = await readActual(this.#kernel.ipvs, this.#kernel.addresses);
    const desired = desiredState(this.#config, this.#runtime);
    return {
      plan: difference(desired, actual, this.#ownership()),
      sysctls: new Sysctls({ log() {} }, this.#saved.sysctls).pending(this.#config),
      obstacles: await findObstacles(this.#kernel, desired),
    };
  }

  /** Sets the sysctls that the configuration needs, and puts back the rest. Returns what was done. */
  async setSysctls(): Promise<{ done: SysctlChange[]; failed: string[] }> {
    const failed: string[] = [];
    const log = (_area: string, level: string, text: string) => {
      if (level === 'error') failed.push(text);
    };
    const sysctls = new Sysctls({ log }, this.#saved.sysctls);
    const pending = sysctls.pending(this.#config);
    if (sysctls.configure(this.#config)) await this.saveOwnership(sysctls.changed);
    const left = new Set(sysctls.pending(this.#config).map(({ name }) => name));
    return { done: pending.filter(({ name }) => !left.has(name)), failed };
  }

  /** Sets the secret of SYN cookies, if the configuration has one. Returns what was done. */
  async setCookieSecret(): Promise<{ done: PlanLine[]; failed: string[] }> {
    const [done, failed]: [PlanLine[], string[]] = [[], []];
    const log = (_area: string, level: string, text: string) => {
      if (level === 'error') failed.push(text);
      else done.push({ sign: '~', service: undefined, text });
    };
    await new CookieSecret(this.#kernel.ipvs, { log }).follow(this.#config);
    return { done, failed };
  }

  /** Records in the state file that lvsd owns the services of the file. Call it before the kernel is changed. */
  async saveOwnership(sysctls: readonly ChangedSysctl[] = this.#saved.sysctls): Promise<void> {
    const owned = new Set([...this.#saved.services, ...this.#runtime.services.map(({ key }) => key)]);
    await writeState(this.#statePath, toState(this.#runtime, owned, this.#saved.health, undefined, sysctls));
  }

  #ownership(): Ownership {
    return this.#config.manage === 'all' ? { all: true } : { all: false, services: new Set(this.#saved.services) };
  }
}
