// SPDX-License-Identifier: MIT
/** Health by a program: exit status 0 is well. */
import type { Target } from '../types.ts';
import type { Prober } from '../verdict.ts';
import { execHelper } from './helper.ts';
import type { ExecCheck } from './schema.ts';

export function execProber({ check, address, port, label }: Target & { check: ExecCheck }): Prober {
  const { command, user, timeout } = check;
  const environment = {
    LVSD_ADDRESS: address,
    LVSD_PORT: String(port),
    LVSD_SERVICE: label.replace(/ [^ ]*$/, ''),
    LVSD_TARGET: label,
    LVSD_TIMEOUT: String(timeout / 1000),
  };
  return {
    start(done) {
      let cancelled = false;
      let over = (): void => {};
      const ended = new Promise<void>((resolve) => {
        over = resolve;
      });
      const stop = execHelper.run({ command, user, environment }, (verdict) => {
        if (!cancelled) done(verdict);
        over();
      });
      return {
        waitsFor: 'end of the program',
        cancel() {
          cancelled = true;
          stop();
          return ended;
        },
      };
    },
  };
}
