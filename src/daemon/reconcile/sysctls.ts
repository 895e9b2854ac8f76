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

interface Setting {
  needed(config: Config): boolean;
  /** The value that lvsd sets. */
  value: string;
  /** Whether another value does as well; it is left as it is. */
  suffices(value: string): boolean;
  /** The consequence of another value, for the log. */
  without: string;
}

const notZero = (value: string) => value !== '0';

export const SYSCTLS = {
  expire_quiescent_template: {
    needed: ({ services }) => [...services.values()].some(({ persistence }) => persistence !== undefined),
    ...{ value: '1', suffices: notZero },
    without: 'with persistence, a drained or inhibited real server keeps getting new connections of its clients',
  },
  expire_nodest_conn: {
    needed: ({ services }) => [...services.values()].some(({ onFailure }) => onFailure === 'remove'),
    ...{ value: '1', suffices: notZero },
    without: 'connections of a removed real server hang until they time out, instead of ending (on_failure: remove)',
  },
  sync_refresh_period: {
    needed: ({ connectionSync }) => connectionSync !== undefined,
    // Seconds.
    ...{ value: '10', suffices: notZero },
    without: 'a node that returns does not get the connections that have been open for long (connection_sync)',
  },
  sync_threshold: {
    needed: ({ connectionSync }) => connectionSync !== undefined,
    // The second number is a period of packets; 0: every packet is an occasion, if the refresh period is over.
    ...{ value: '0 0', suffices: (value) => value.endsWith(' 0') },
    without: 'connections with few packets are sent to other nodes late, or never (connection_sync)',
  },
} as const satisfies Record<string, Setting>;

export type SysctlName = keyof typeof SYSCTLS;
export const SYSCTL_NAMES = Object.keys(SYSCTLS) as SysctlName[];

/** The name for sysctl(8). */
export const sysctlText = (name: SysctlName): string => `net.ipv4.vs.${name}`;

/** A setting that lvsd changed, and its value before that. */
export interface ChangedSysctl {
  name: SysctlName;
  was: string;
}

/** A setting, its value, and the one that it gets. */
export interface SysctlChange {
  name: SysctlName;
  is: string;
  to: string;
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

/** Access to the files; both throw system errors. Several numbers are separated by one space. */
export interface SysctlFiles {
  read(name: SysctlName): string;
  write(name: SysctlName, value: string): void;
}

const pathOf = (name: SysctlName): string => `/proc/sys/net/ipv4/vs/${name}`;

export const SYSCTL_FILES: SysctlFiles = {
  read: (name) => readFileSync(pathOf(name), 'utf8').trim().replace(/\s+/g, ' '),
  write: (name, value) => writeFileSync(pathOf(name), `${value}\n`),
};

export class Sysctls {
  readonly #files: SysctlFiles;
  readonly #reporter: Pick<Reporter, 'log'>;
  readonly #was = new Map<SysctlName, string>();
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
      const { needed, suffices, value }: Setting = SYSCTLS[name];
      const kept = this.#was.get(name) ?? is;
      const to = needed(config) ? (suffices(is) ? is : value) : kept;
      return to === is ? [] : [{ name, is, to }];
    });
  }

  #value(name: SysctlName): string | undefined {
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
    const { suffices, value }: Setting = SYSCTLS[name];
    try {
      const is = this.#files.read(name);
      if (suffices(is)) {
        this.#failing.delete(name);
        return false;
      }
      this.#files.write(name, value);
      this.#failing.delete(name);
      const isNew = !this.#was.has(name);
      if (isNew) {
        this.#was.set(name, is);
        this.#log('info', `${sysctlText(name)} set to ${value}`);
      } else
        this.#log('warn', `changed by another program: ${sysctlText(name)} was set to ${is}; set to ${value} again`);
      return isNew;
    } catch (error) {
      this.#fail(name, error);
      return false;
    }
  }

  #restore(name: SysctlName): void {
    const was = this.#was.get(name);
    if (was === undefined) return;
    const is = this.#value(name);
    if (is !== undefined && is !== SYSCTLS[name].value) {
      this.#was.delete(name);
      this.#log('info', `${sysctlText(name)} stays ${is}: another program has set it`);
      return;
    }
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
    const { value, without } = SYSCTLS[name];
    const is = this.#value(name) ?? 'unknown';
    this.#failing.set(name, {
      text: `${sysctlText(name)} ${is} → ${value}`,
      reason: errorLine(error),
      since: steady(),
    });
    const assignment = /\s/.test(value) ? `"${sysctlText(name)}=${value}"` : `${sysctlText(name)}=${value}`;
    const remedy = isErrno(error, 'EROFS', 'EACCES', 'EPERM')
      ? `; allow it (docs/operations.md, Kernel settings), or set it: sysctl -w ${assignment}`
      : '';
    this.#log('error', `cannot set ${sysctlText(name)} to ${value} (${errorLine(error)}): ${without}${remedy}`);
  }

  #log(level: 'info' | 'warn' | 'error', text: string): void {
    this.#reporter.log('kernel', level, text);
  }
}
