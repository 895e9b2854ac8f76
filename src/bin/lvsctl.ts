// SPDX-License-Identifier: MIT
/** lvsctl: command-line client of a running lvsd. */
import { main } from '../control/lvsctl/main.ts';

void main(process.argv.slice(2)).then((status) => {
  process.exitCode = status;
});
