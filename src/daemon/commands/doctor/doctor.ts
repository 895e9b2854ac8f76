// SPDX-License-Identifier: MIT
/** `lvsd doctor`: examines this machine without changing it. */
import { EXIT } from '../../../base/errors.ts';
import { examine } from './checks.ts';
import { gather } from './facts.ts';
import { reportText } from './report.ts';

/** Returns exit status 1 if there is a problem. */
export async function doctor({ json }: { json: boolean }): Promise<number> {
  const checks = examine(await gather());
  const problem = checks.some(({ verdict }) => verdict === 'problem');
  process.stdout.write(json ? `${JSON.stringify({ problem, checks }, null, 2)}\n` : reportText(checks));
  return problem ? EXIT.RUNTIME : EXIT.OK;
}
