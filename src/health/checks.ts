// SPDX-License-Identifier: MIT
/** The kinds of checks, by the name that `type` has in YAML. Everything else about a kind is in its folder. */
export { exec } from './exec/kind.ts';
export { http, https } from './http/kind.ts';
export { tcp } from './tcp/kind.ts';
