// SPDX-License-Identifier: MIT
/** Prober of tcp checks: success if the target accepts a connection. */
import { connections } from '../common/connections.ts';
import { endpoint } from '../common/dial.ts';
import type { ProbeTarget } from '../common/target.ts';
import { type Prober, success } from '../verdict.ts';
import type { TcpCheck } from './schema.ts';

const CONNECTED = success('connected');

/** Prepares a target. Throws if its address is invalid. */
export function tcpProber(target: ProbeTarget<TcpCheck>): Prober {
  const to = endpoint(target);
  return {
    start(done) {
      const connection = connections().begin(to, null, { end: (trouble) => done(trouble ?? CONNECTED) });
      return {
        waitsFor: 'answer',
        cancel() {
          connection.cancel();
          return undefined;
        },
      };
    },
  };
}
