// SPDX-License-Identifier: MIT
/**
 * Settings of IPVS in this network namespace that keys of the configuration depend on. lvsd sets them, records their
 * previous values, sets them again if another program changes them, and restores them when no key needs them any more.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { steady } from '../../base/clock.ts';
import { isErrno } from '../../base/errno.ts';
import { errorLine } from '../../base/error-line.ts';
import type { Config } from '../../config/types.ts';
import type { PlanLine } from '../../control/messages.ts';
import type { Reporter } from '../control/reporter.ts';

export const SYSCTLS = {
  expire_quiescent_template: {
    needed: ({ services }: Config) => [...services.values()].some(({ persistence }) => persistence !== undefined),
    without: 'with persistence, a drained or inhibited real server keeps getting new connections of its clients',
  },
  expire_nodest_conn: {
    needed: ({ services }: Config) => [...services.values()].some(({ onFailure }) => onFailure === 'remove'),
    without: 'connections of a removed real server hang until they time out, instead of ending (on_failure: remove)',
  },
} as const;

export type SysctlName = keyof typeof SYSCTLS;
export const SYSCTL_NAMES = Object.keys(SYSCTLS) as SysctlName[];

/** The name for sysctl(8). */
export const sysctlText = (name: SysctlName): string => `net.ipv4.vs.${name}`;

/** A setting that lvsd changed, and its value before that. */
export interface ChangedSysctl {
  name: SysctlName;
  was: number;
}

/** A setting, its value, and the one that it gets. */
export interface SysctlChange {
  name: SysctlName;
  is: number;
  to: number;
}

/** A setting that could not be made; `since` by the clock `steady()`. */
export interface SettingFailure {
  text: string;
  reason: string;
  since: number;
}

/** As a line of a plan. */
export const sysctlLine = ({ name, is, to }: SysctlChange): PlanLine => ({
  sign: '~',
  service: undefined,
  text: `${sysctlText(name)} ${is} → ${to}`,
});

/** Access to the files; both throw system errors. */
export interface SysctlFiles {
  read(name: SysctlName): number;
  write(name: SysctlName, value: number): void;
}

const pathOf = (name: SysctlName): string => `/proc/sys/net/ipv4/vs/${name}`;

export const SYSCTL_FILES: SysctlFiles = {
  read: (name) => Number(readFileSync(pathOf(name), 'utf8')),
  write: (name, value) => writeFileSync(pathOf(name), `${value}\n`),
};

export class Sysctls {
  readonly #files: SysctlFiles;
  readonly #reporter: Pick<Reporter, 'log'>;
  readonly #was = new Map<SysctlName, number>();
  #needed: ReadonlySet<SysctlName> = new Set();
  /** Settings that could not be set; each is reported once. */
  readonly #failing = new Map<SysctlName, SettingFailure>();

  constructor(
    reporter: Pick<Reporter, 'log'>,
    changed: readonly ChangedSysctl[] = [],
    files: SysctlFiles = SYSCTL_FILES,
  ) {
    this.#reporter = reporter;
    this.#files = files;
    for (const { name, was } of changed) this.#was.set(name, was);
  }

  get failures(): SettingFailure[] {
    return [...this.#failing.values()];
  }

  get changed(): ChangedSysctl[] {
    return [...this.#was].map(([name, was]) => ({ name, was }));
  }

  /** The settings that `configure` would change; without those that cannot be read. */
  pending(config: Config): SysctlChange[] {
    return SYSCTL_NAMES.flatMap((name) => {
      const is = this.#value(name);
      if (is === undefined) return [];
      const to = SYSCTLS[name].needed(config) ? is || 1 : (this.#was.get(name) ?? is);
      return to === is ? [] : [{ name, is, to }];
    });
  }

  #value(name: SysctlName): number | undefined {
    try {
      return this.#files.read(name);
    } catch {
      return undefined;
    }
  }

  /** Applies another configuration. Returns whether `changed` differs afterwards. */
  configure(config: Config): boolean {
    const before = this.#was.size;
    this.#needed = new Set(SYSCTL_NAMES.filter((name) => SYSCTLS[name].needed(config)));
    for (const name of this.#failing.keys()) if (!this.#needed.has(name)) this.#failing.delete(name);
    const unneeded = SYSCTL_NAMES.filter((name) => this.#was.has(name) && !this.#needed.has(name));
    for (const name of unneeded) this.#restore(name);
    return this.watch() || this.#was.size !== before;
  }

  /** Sets the needed settings that have another value. Returns whether `changed` differs afterwards. */
  watch(): boolean {
    let isNew = false;
    for (const name of this.#needed) if (this.#set(name)) isNew = true;
    return isNew;
  }

  /** Restores all of them (`on_stop: remove`). */
  restore(): void {
    for (const { name } of this.changed) this.#restore(name);
  }

  /** Returns whether it was changed for the first time. */
  #set(name: SysctlName): boolean {
    try {
      const is = this.#files.read(name);
      if (is !== 0) {
        this.#failing.delete(name);
        return false;
      }
      this.#files.write(name, 1);
      this.#failing.delete(name);
      const isNew = !this.#was.has(name);
      if (isNew) {
        this.#was.set(name, is);
        this.#log('info', `${sysctlText(name)} set to 1`);
      } else this.#log('warn', `changed by another program: ${sysctlText(name)} was set to 0; set to 1 again`);
      return isNew;
    } catch (error) {
      this.#fail(name, error);
      return false;
    }
  }

  #restore(name: SysctlName): void {
    const was = this.#was.get(name);
    if (was === undefined) return;
    try {
      this.#files.write(name, was);
      this.#was.delete(name);
      this.#log('info', `${sysctlText(name)} set back to ${was}`);
    } catch (error) {
      this.#log('error', `cannot set ${sysctlText(name)} back to ${was}: ${errorLine(error)}`);
    }
  }

  #fail(name: SysctlName, error: unknown): void {
    if (this.#failing.has(name)) return;
    this.#failing.set(name, { text: `${sysctlText(name)} 0 → 1`, reason: errorLine(error), since: steady() });
    const remedy = isErrno(error, 'EROFS', 'EACCES', 'EPERM')
      ? `; allow it (docs/operations.md, Kernel settings), or set it: sysctl -w ${sysctlText(name)}=1`
      : '';
    this.#log('error', `cannot set ${sysctlText(name)} to 1 (${errorLine(error)}): ${SYSCTLS[name].without}${remedy}`);
  }

  #log(level: 'info' | 'warn' | 'error', text: string): void {
    this.#reporter.log('kernel', level, text);
  }
}
