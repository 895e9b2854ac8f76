// SPDX-License-Identifier: MIT
/** Listings as JSON. */
export { printJson } from './print.ts';
