// SPDX-License-Identifier: MIT
/** lvsctl: the operator's word with a running lvsd. */
import { main } from '../control/lvsctl/main.ts';

main(process.argv.slice(2)).then((status) => {
  process.exitCode = status;
});
