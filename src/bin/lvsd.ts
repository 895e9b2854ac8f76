// SPDX-License-Identifier: MIT
/** lvsd: keeps the IPVS table as the configuration file describes it. */
import { main } from '../daemon/main.ts';

void main(process.argv.slice(2)).then((status) => {
  process.exitCode = status;
});
