// SPDX-License-Identifier: MIT
export { type LoadOptions, loadConfig } from './load.ts';
export { ConfigError, type Problem, problemLine } from './problems.ts';
export { Rereader } from './reread.ts';
export * from './types.ts';
