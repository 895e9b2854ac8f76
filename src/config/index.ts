// SPDX-License-Identifier: MIT

export { Rereader } from './incremental/reread.ts';
export { type LoadOptions, loadConfig } from './load.ts';
export { ConfigError, type Problem, problemLine } from './problems.ts';
export * from './types.ts';
