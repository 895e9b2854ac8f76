// SPDX-License-Identifier: MIT
/** The types of verbs, and the options that belong to single ones. */
import type { ExitCode } from '../../../base/errors.ts';
import type { Method, Params, Result } from '../../methods.ts';
import type { Paint } from '../terminal.ts';

/** Options that belong to single verbs, as node:util's parseArgs takes them. */
export const VERB_OPTIONS = {
  follow: { type: 'boolean', short: 'f' },
  after: { type: 'string', short: 'a' },
  brief: { type: 'boolean', short: 'b' },
  down: { type: 'boolean', short: 'd' },
  server: { type: 'string' },
  state: { type: 'string' },
  watch: { type: 'boolean', short: 'w' },
  reason: { type: 'string', short: 'r' },
  for: { type: 'string' },
  'dry-run': { type: 'boolean', short: 'n' },
  detail: { type: 'string' },
  collect: { type: 'string', multiple: true },
  'max-series': { type: 'string' },
  since: { type: 'string' },
  service: { type: 'string' },
  kind: { type: 'string', multiple: true },
  limit: { type: 'string' },
  sort: { type: 'string' },
  interval: { type: 'string' },
  once: { type: 'boolean' },
  batch: { type: 'string' },
} as const;

export interface VerbOptions {
  follow?: boolean | undefined;
  after?: string | undefined;
  brief?: boolean | undefined;
  down?: boolean | undefined;
  server?: string | undefined;
  state?: string | undefined;
  /** Repeats the verb, with a pause in between. */
  watch?: boolean | undefined;
  reason?: string | undefined;
  for?: string | undefined;
  'dry-run'?: boolean | undefined;
  detail?: string | undefined;
  collect?: string[] | undefined;
  'max-series'?: string | undefined;
  since?: string | undefined;
  service?: string | undefined;
  kind?: string[] | undefined;
  limit?: string | undefined;
  sort?: string | undefined;
  interval?: string | undefined;
  once?: boolean | undefined;
  batch?: string | undefined;
}

export interface PrintContext {
  paint: Paint;
  /** Milliseconds since the epoch. */
  now: number;
  options: VerbOptions;
}

interface VerbSpec<M extends Method> {
  method: M;
  /**
   * Arguments as the usage shows them: 'SERVER' is required and becomes the parameter `server`, '[SERVICE]' is
   * optional.
   */
  words: string;
  help: string;
  /** Those of VERB_OPTIONS that it accepts. */
  options?: readonly (keyof typeof VERB_OPTIONS)[];
  /** Converts arguments where they are not simply parameters. Throws UsageError. */
  read?(words: readonly string[], options: VerbOptions): Params<M>;
  /** Selects what is shown, also as JSON. */
  select?(result: Result<M>, options: VerbOptions): Result<M>;
  /** `whole`: the result before `select`. */
  print(result: Result<M>, context: PrintContext, whole: Result<M>): string;
  exitCode?(result: Result<M>): ExitCode;
  /** Lines for standard error. */
  errors?(result: Result<M>): readonly string[];
}

/** A verb without its method's types, as the generic code uses it. */
export interface Verb {
  method: Method;
  words: string;
  help: string;
  options?: readonly (keyof typeof VERB_OPTIONS)[];
  read?(words: readonly string[], options: VerbOptions): object;
  select?(result: unknown, options: VerbOptions): unknown;
  print(result: unknown, context: PrintContext, whole: unknown): string;
  exitCode?(result: unknown): ExitCode;
  errors?(result: unknown): readonly string[];
}

export const verb = <M extends Method>(spec: VerbSpec<M>): Verb => spec as Verb;
