// SPDX-License-Identifier: MIT
/** lvsadm: an ipvsadm that knows FULLNAT. A symbolic link of the name ipvsadm makes it answer as that. */
import { mainUsual } from '../ipvsadm/main-usual.ts';

const words = process.argv.slice(2);
/** The path is absolute, and not resolved. */
const options = { program: process.argv[1]?.endsWith('/ipvsadm') ? 'ipvsadm' : 'lvsadm' };

mainUsual(words, options)
  // Loaded by those alone who need it.
  .then(async (status) => status ?? (await import('./lvsadm-whole.ts')).main(words, options))
  .then((status) => {
    process.exitCode = status;
  });
