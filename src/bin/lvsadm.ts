// SPDX-License-Identifier: MIT
/** lvsadm: ipvsadm's command line, with FULLNAT. Called by the name ipvsadm, it names itself ipvsadm. */
import { main } from '../ipvsadm/index.ts';

// argv[1] is the path of the symbolic link, not of its target.
const program = process.argv[1]?.endsWith('/ipvsadm') ? 'ipvsadm' : 'lvsadm';

void main(process.argv.slice(2), { program }).then((status) => {
  process.exitCode = status;
});
