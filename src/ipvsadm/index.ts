// SPDX-License-Identifier: MIT
/** ipvsadm's command line. */
export { main } from './main.ts';
