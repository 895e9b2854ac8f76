// SPDX-License-Identifier: MIT
/**
 * lvsadm-restore: replaces the table by the rules of standard input, as ipvsadm-restore does. Lines that begin with #
 * are ignored. The exit status is that of the rules. `lvsadm restore --atomic` never leaves the table empty meanwhile.
 */
import { Fatal } from '../ipvsadm/errors.ts';
import { main } from '../ipvsadm/index.ts';
import { withoutComments } from '../ipvsadm/scripts.ts';

async function run(): Promise<number> {
  const strict = process.argv.includes('--strict') ? ['--strict'] : [];
  // Reads all rules before it empties the table.
  const rules = await withoutComments();
  await main([...strict, '-C']);
  return main([...strict, '-R'], { input: [rules] });
}

run().then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    if (!(error instanceof Fatal)) throw error;
    process.stderr.write(`lvsadm-restore: ${error.message}\n`);
    process.exitCode = error.status;
  },
);
