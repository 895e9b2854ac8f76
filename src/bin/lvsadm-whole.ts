// SPDX-License-Identifier: MIT
/** What lvsadm calls for the commands that it does not start with. */
export { main } from '../ipvsadm/index.ts';
