// SPDX-License-Identifier: MIT
/** Health by an HTTP/1.1 request on a fresh connection, over TLS or not. */
import { isIP } from 'node:net';
import { type Connection, connections } from '../common/connections.ts';
import { endpoint } from '../common/dial.ts';
import type { ProbeTarget } from '../common/target.ts';
import { failure, inconclusive, type Prober, type Verdict } from '../verdict.ts';
import { AnswerReader, type Finding } from './answer.ts';
import { type MatchResult, matcher } from './matcher.ts';
import { requestBytes } from './request.ts';
import type { HttpCheck, TlsCheck } from './schema.ts';
import { type SecureConnection, secureConnection } from './secure.ts';
import { secureContext } from './trust.ts';

const SYSTEM_TRUST: TlsCheck = { serverName: undefined, verify: true, ca: undefined };

/** Verdicts for matches without a result. */
const MATCH_VERDICTS: Record<Exclude<MatchResult, boolean>, Verdict> = {
  slow: failure(`the body could not be matched within ${matcher.limit}ms`),
  starved: inconclusive('no processor time to match bodies'),
  failed: inconclusive('the thread that matches bodies has ended'),
};

/** Over TLS or not. */
type HttpConnection = Connection | SecureConnection;

export function httpProber(target: ProbeTarget<HttpCheck>): Prober {
  const { check, address, port } = target;
  const request = requestBytes(check, address, port);
  const pattern = check.body && 'matches' in check.body ? matcher.pattern(check.body.matches) : undefined;
  const connect = connector(target, request);
  return {
    start(done) {
      let connection: HttpConnection | undefined;
      let phase: 'exchange' | 'match' | 'over' = 'exchange';
      const finish = (verdict: Verdict): void => {
        if (phase === 'over') return;
        phase = 'over';
        done(verdict);
      };
      const answer = new AnswerReader(check, (finding: Finding) => {
        // Lets the peer finish its answer, so that it does not log an error.
        connection?.leave();
        if ('outcome' in finding) return finish(finding);
        phase = 'match';
        const { body, success, otherwise } = finding;
        void pattern?.test(body).then((result) => {
          if (typeof result === 'boolean') finish(result ? success : otherwise);
          else finish(MATCH_VERDICTS[result]);
        });
      });
      connection = connect({
        data: (bytes) => answer.push(bytes),
        end: (trouble) => {
          if (phase !== 'exchange') return;
          if (trouble) finish(trouble);
          else answer.end();
        },
      });
      return {
        get answered() {
          return phase === 'match';
        },
        get waitsFor() {
          if (phase === 'match') return phase;
          if (!connection?.established) return 'connection';
          if ('secure' in connection && !connection.secure) return 'end of the TLS handshake';
          return answer.begun ? 'end of the answer' : 'answer';
        },
        cancel() {
          phase = 'over';
          connection?.cancel();
          return undefined;
        },
      };
    },
  };
}

/** Returns a function that connects and sends the request. */
function connector({ check, address, ...rest }: ProbeTarget<HttpCheck>, request: Uint8Array) {
  type Events = Parameters<ReturnType<typeof connections>['begin']>[2];
  const to = endpoint({ check, address, ...rest });
  if (check.type === 'http') return (events: Events): HttpConnection => connections().begin(to, request, events);
  const tls = check.tls ?? SYSTEM_TRUST;
  const serverName = withoutFinalDot(tls.serverName ?? nameOf(check.host));
  return (events: Events): HttpConnection =>
    secureConnection(
      to,
      { context: () => secureContext(tls), verify: tls.verify, serverName, address },
      request,
      events,
    );
}

/** 'shop.example:8443' -> 'shop.example'; undefined for an address. */
function nameOf(host: string | undefined): string | undefined {
  if (host === undefined || host.startsWith('[')) return undefined;
  const name = host.replace(/:\d*$/, '');
  return name === '' || isIP(name) ? undefined : name;
}

/** SNI omits the final dot of a fully qualified name (RFC 6066, section 3). */
const withoutFinalDot = (name: string | undefined): string | undefined => name?.replace(/\.$/, '');
