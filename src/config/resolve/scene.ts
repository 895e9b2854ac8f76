// SPDX-License-Identifier: MIT
import type { RawDefaults } from '../schema.ts';
import type { LocalAddressPool } from '../types.ts';
import type { Checks } from './checks.ts';
import type { Context } from './context.ts';
import type { Written } from './inheritance.ts';
import type { LocalPlaces } from './pools.ts';

/** What services are made sense of against. */
export interface Scene {
  context: Context;
  defaults: RawDefaults;
  /** `defaults.check`. */
  defaultCheck: Written | undefined;
  checks: Checks;
  pools: ReadonlyMap<string, LocalAddressPool>;
  localPlaces: LocalPlaces;
  /** Virtual addresses of all services, by `addressId`. */
  virtualAddresses: ReadonlySet<number | string>;
}
