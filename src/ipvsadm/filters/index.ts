// SPDX-License-Identifier: MIT
/** Which entries of a listing are wanted. */
export { Filters } from './filters.ts';
