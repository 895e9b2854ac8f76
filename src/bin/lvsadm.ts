// SPDX-License-Identifier: MIT
/** lvsadm: an ipvsadm that knows FULLNAT. A symbolic link of the name ipvsadm makes it answer as that. */
import { basename } from 'node:path';
import { main } from '../ipvsadm/index.ts';

const name = basename(process.argv[1] ?? '');

main(process.argv.slice(2), { program: name === 'ipvsadm' ? name : 'lvsadm' }).then((status) => {
  process.exitCode = status;
});
