// SPDX-License-Identifier: MIT
/** Prober of exec checks: runs a program, whose exit status 0 is success. */
import type { Prober } from '../verdict.ts';
import { execHelper } from './helper.ts';
import type { ExecCheck } from './schema.ts';

/**
 * Limits of the milliseconds between SIGTERM and SIGKILL: a program that ignores SIGTERM must not delay the next run.
 */
const LONGEST_KILL_DELAY = 2000;
const LEAST_KILL_DELAY = 100;

/** Prepares a check; does not throw. Each probe runs the program once. */
export function execProber({ command, user, interval, timeout }: ExecCheck): Prober {
  const killDelay = Math.min(LONGEST_KILL_DELAY, Math.max(LEAST_KILL_DELAY, interval - timeout - LEAST_KILL_DELAY));
  return {
    start({ address, port, label }, done) {
      const environment = {
        LVSD_ADDRESS: address,
        LVSD_PORT: String(port),
        LVSD_SERVICE: label.replace(/ [^ ]*$/, ''),
        LVSD_TARGET: label,
        LVSD_TIMEOUT: String(timeout / 1000),
      };
      let cancelled = false;
      let over = (): void => {};
      const ended = new Promise<void>((resolve) => {
        over = resolve;
      });
      const program = execHelper.run({ command, user, environment, killDelay }, (verdict) => {
        if (!cancelled) done(verdict);
        over();
      });
      return {
        get waitsFor() {
          return program.startedAt === undefined ? 'start of the program' : 'end of the program';
        },
        get startedAt() {
          return program.startedAt;
        },
        late: () => program.stillRunning(),
        cancel() {
          cancelled = true;
          program.stop();
          return ended;
        },
      };
    },
  };
}
