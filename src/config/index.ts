// SPDX-License-Identifier: MIT
/** Loads, validates and rereads the configuration file. */
export { Rereader } from './incremental/reread.ts';
export { type LoadOptions, loadConfig, loadInput } from './load.ts';
export { ConfigError, type Problem, problemLine } from './problems.ts';
export * from './types.ts';
