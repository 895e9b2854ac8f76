// SPDX-License-Identifier: MIT

export { Rereader } from './incremental/reread.ts';
export { type LoadOptions, loadConfig, loadInput } from './load.ts';
export { ConfigError, type Problem, problemLine } from './problems.ts';
export * from './types.ts';
