// SPDX-License-Identifier: MIT
/**
 * lvsadm-restore: what ipvsadm-restore is to ipvsadm. Empties the table, then applies the rules of standard input, lines
 * that begin with # left out. The status is that of the rules. `lvsadm restore --atomic` leaves no table empty meanwhile.
 */
import { main } from '../ipvsadm/index.ts';
import { withoutRemarks } from '../ipvsadm/scripts.ts';

async function run(): Promise<number> {
  const strict = process.argv.includes('--strict') ? ['--strict'] : [];
  // All of it first: a table is not emptied while rules are still to come.
  const rules = await withoutRemarks(process.stdin);
  await main([...strict, '-C']);
  return main([...strict, '-R'], { input: [rules] });
}

run().then((status) => {
  process.exitCode = status;
});
