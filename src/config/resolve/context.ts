// SPDX-License-Identifier: MIT
import type { RawDefaults } from '../schema.ts';
import type { Hooks, LocalAddressPool } from '../types.ts';
import type { Checks } from './checks.ts';
import type { NamedFiles } from './files.ts';
import type { RawCheckLayer } from './inheritance.ts';
import type { LocalPlaces } from './pools.ts';
import type { ProblemSink } from './problem-sink.ts';

/** Shared by the resolution of all services. */
export interface Context {
  problems: ProblemSink;
  defaults: RawDefaults;
  /** `defaults.check`. */
  defaultCheck: RawCheckLayer | undefined;
  checks: Checks;
  /** `defaults.hooks`. */
  defaultHooks: Hooks | undefined;
  files: NamedFiles;
  pools: ReadonlyMap<string, LocalAddressPool>;
  localPlaces: LocalPlaces;
  /** Virtual addresses of all services, by `addressId`. */
  virtualAddresses: ReadonlySet<number | string>;
}
