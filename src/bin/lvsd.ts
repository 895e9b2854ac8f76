// SPDX-License-Identifier: MIT
/** lvsd: keeps this machine's IPVS as one file says. */
import { main } from '../daemon/main.ts';

main(process.argv.slice(2)).then((status) => {
  process.exitCode = status;
});
