// SPDX-License-Identifier: MIT
/** lvsadm: an ipvsadm that knows FULLNAT. */
import { main } from '../ipvsadm/index.ts';

main(process.argv.slice(2)).then((status) => {
  process.exitCode = status;
});
