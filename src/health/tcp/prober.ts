// SPDX-License-Identifier: MIT
/** Health by connection: whoever accepts one is well. */
import { endpoint } from '../common/dial.ts';
import type { Target } from '../types.ts';
import type { Prober } from '../verdict.ts';
import { Connections } from './connections.ts';

let connections: Connections | undefined;

export function tcpProber(target: Target): Prober {
  const to = endpoint(target);
  return {
    start(done) {
      connections ??= new Connections();
      const stop = connections.begin(to, done);
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
