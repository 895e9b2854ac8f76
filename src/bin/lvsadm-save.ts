// SPDX-License-Identifier: MIT
/** lvsadm-save [-n]: what ipvsadm-save is to ipvsadm. The table as rules on standard output. */
import { main } from '../ipvsadm/index.ts';
import { saveWords } from '../ipvsadm/scripts.ts';

const words = saveWords(process.argv.slice(2));
if (words) {
  main(words).then((status) => {
    process.exitCode = status;
  });
} else {
  process.stderr.write('lvsadm-save: prints the table as rules for lvsadm-restore\n   -n: numbers instead of names\n');
  process.exitCode = 1;
}
