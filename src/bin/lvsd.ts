// SPDX-License-Identifier: MIT
/** lvsd: what this machine's IPVS is like, and (later) what keeps it as configured. */
import { main } from '../daemon/main.ts';

main(process.argv.slice(2)).then((status) => {
  process.exitCode = status;
});
