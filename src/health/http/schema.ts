// SPDX-License-Identifier: MIT
import type { CommonCheck } from '../common/schema.ts';

/** One request on a fresh connection. */
export interface HttpCheck extends CommonCheck {
  type: 'http' | 'https';
  method: string;
  path: string;
  /** Host header; undefined: the address probed, with its port where that is not the scheme's. */
  host: string | undefined;
  headers: readonly (readonly [name: string, value: string])[];
  /** Accepted status codes, as ranges, both ends included. */
  status: readonly (readonly [from: number, to: number])[];
  /** What the start of the body (its first 256 KiB) must have. */
  body: { contains: string } | { matches: string } | undefined;
  /** https only. */
  tls: TlsCheck | undefined;
}

export interface TlsCheck {
  /** Server name sent; undefined: `host` without port where it is a name, else none. */
  serverName: string | undefined;
  /** False only where the file says `verify: false`. */
  verify: boolean;
  /** Path of a PEM file with the authorities to trust; undefined: the system's. */
  ca: string | undefined;
}
