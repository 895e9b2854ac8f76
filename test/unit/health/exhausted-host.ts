// SPDX-License-Identifier: MIT
// A health worker in a process with few file descriptors: argv has the port of a slow HTTP server. Prints the results.

import { unknown } from '../../../src/health/machine.ts';
import { loadProbers } from '../../../src/health/worker/probers.ts';
import { ProbeRunner } from '../../../src/health/worker/runner.ts';
import { HTTP, target } from '../../support/probes.ts';

const prepare = await loadProbers();

const transitions: string[] = [];
const troubles: string[] = [];
const checker = new ProbeRunner({
  concurrency: 500,
  programs: 1,
  prepare,
  onTransition: (_target, { reason }) => transitions.push(reason),
  onTrouble: (text) => troubles.push(text),
});
const check = { ...HTTP, interval: 500, timeout: 500, fall: 1 };
for (let i = 1; i <= 200; i++) {
  const of = target(check, Number(process.argv[2]), `127.0.0.${i}`);
  checker.add(of, unknown(of.id, true, Date.now()));
}
setTimeout(() => {
  checker.stop();
  process.stdout.write(`${JSON.stringify({ transitions, troubles, probes: checker.takeLoad().probes })}\n`, () =>
    process.exit(0),
  );
}, 2500);
