// SPDX-License-Identifier: MIT
/** lvsadm-save [-n]: prints the table as rules, as ipvsadm-save does. */
import { main } from '../ipvsadm/index.ts';
import { saveWords } from '../ipvsadm/scripts.ts';

const words = saveWords(process.argv.slice(2));
if (words) {
  void main(words).then((status) => {
    process.exitCode = status;
  });
} else {
  process.stderr.write('lvsadm-save: prints the table as rules for lvsadm-restore\n   -n: numbers instead of names\n');
  process.exitCode = 1;
}
