// SPDX-License-Identifier: MIT
/** Prober of tcp checks: success if the target accepts a connection. */
import { connections } from '../common/connections.ts';
import { endpoints } from '../common/dial.ts';
import { type Prober, success } from '../verdict.ts';
import type { TcpCheck } from './schema.ts';

const CONNECTED = success('connected');

/** Prepares a check; does not throw. */
export function tcpProber(check: TcpCheck): Prober {
  const endpointOf = endpoints(check);
  return {
    start(target, done) {
      const connection = connections().begin(endpointOf(target), null, {
        end: (trouble) => (trouble ? done(trouble) : done(CONNECTED, connection.negotiated)),
      });
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
