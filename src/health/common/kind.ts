// SPDX-License-Identifier: MIT
/** The parts of a kind of check. Each kind exports them from its folder; src/health/checks.ts lists the kinds. */
import type { Static, TSchema } from '@sinclair/typebox';
import type { Prober } from '../verdict.ts';
import type { CommonCheck } from './schema.ts';

/** The keys of a check in YAML, except `type`. */
export type RawKeys<S extends TSchema> = Omit<Static<S>, 'type'>;

export interface CheckKind<S extends TSchema, C extends CommonCheck> {
  /** An object schema with a literal `type`. Loaded by the build only, because it needs TypeBox. */
  schema(): Promise<S>;
  /** Kinds of one group inherit keys from each other. */
  group: string;
  /** Whether it needs a port to probe. */
  needsPort: boolean;
  /** The limit that its probes share: sockets are many, programs few. */
  lane: 'sockets' | 'programs';
  /** Converts the keys of the configuration. Undefined after a problem that leaves nothing to check. */
  resolve(source: CheckSource<RawKeys<S>>, common: CommonCheck): C | undefined;
  /** Loaded only by the process that probes. */
  prober(): Promise<(check: C) => Prober>;
}

/** A check in the configuration, as passed to `resolve`. */
export interface CheckSource<K> {
  /** Valid according to the schema. Inherited ones included. */
  readonly keys: K;
  /** Whether the key is written here, rather than inherited. */
  isOwn(key: string): boolean;
  /** Reports a problem of a key, or of a value inside it, unless it is inherited (and reported there). */
  wrong(path: readonly [string, ...(string | number)[]], text: string, at?: 'key' | 'value'): void;
  /** Reports a conflict of keys at the first of them that is written here. */
  clash(keys: readonly string[], text: string): void;
  /** Reports that a key is missing. */
  missing(text: string): void;
  /** A value as problems quote it. */
  quote(value: unknown): string;
  files: {
    /** The reason why the user (undefined: lvsd's own) must not run a program; undefined if there is none. */
    program(path: string, user: string | undefined): string | undefined;
    /** The reason why a file is not usable as a set of CA certificates; undefined if it is. */
    authorities(path: string): string | undefined;
  };
}
