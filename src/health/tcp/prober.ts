// SPDX-License-Identifier: MIT
/** Health by connection: whoever accepts one is well. */
import { dial, endpoint } from '../common/dial.ts';
import type { Target } from '../types.ts';
import { type Prober, success } from '../verdict.ts';

const CONNECTED = success('connected');

export function tcpProber(target: Target): Prober {
  const to = endpoint(target);
  return {
    start(done) {
      const stop = dial(to, (result) => {
        if ('outcome' in result) return done(result);
        result.close();
        done(CONNECTED);
      });
      return {
        waitsFor: 'answer',
        cancel() {
          stop();
          return undefined;
        },
      };
    },
  };
}
