// SPDX-License-Identifier: MIT
/** Files of rules as wholes: saved, compared, restored. */
export { runVerb } from './verbs.ts';
