// SPDX-License-Identifier: MIT
/** Health by an HTTP/1.1 request on a fresh connection, over TLS or not. */
import { isIP } from 'node:net';
import type { NativeSocket } from '../../base/native.ts';
import { dial, endpoint } from '../common/dial.ts';
import type { Target } from '../types.ts';
import { failure, inconclusive, type Prober, type Verdict } from '../verdict.ts';
import { AnswerReader, type Finding } from './answer.ts';
import { type MatchResult, matcher } from './matcher.ts';
import { exchange } from './plain.ts';
import { requestBytes } from './request.ts';
import type { HttpCheck, TlsCheck } from './schema.ts';
import { type SecureExchange, secureExchange } from './secure.ts';
import { secureContext } from './trust.ts';

const SYSTEM_TRUST: TlsCheck = { serverName: undefined, verify: true, ca: undefined };

export function httpProber(target: Target & { check: HttpCheck }): Prober {
  const { check, address, port } = target;
  const to = endpoint(target);
  const request = requestBytes(check, address, port);
  const tls = check.type === 'https' ? (check.tls ?? SYSTEM_TRUST) : undefined;
  const serverName = tls && (tls.serverName ?? nameOf(check.host));
  const pattern = check.body && 'matches' in check.body ? matcher.pattern(check.body.matches) : undefined;
  return {
    start(done) {
      let socket: NativeSocket | undefined;
      let secure: SecureExchange | undefined;
      let phase: 'connection' | 'answer' | 'match' | 'over' = 'connection';
      const close = (): void => {
        socket?.close();
        secure?.close();
      };
      const finish = (verdict: Verdict): void => {
        if (phase === 'over') return;
        phase = 'over';
        close();
        done(verdict);
      };
      const answer = new AnswerReader(check, (finding: Finding) => {
        if ('outcome' in finding) return finish(finding);
        phase = 'match';
        close();
        const { body, success, otherwise } = finding;
        const verdicts: Record<Exclude<MatchResult, boolean>, Verdict> = {
          slow: failure(`the body could not be matched within ${matcher.limit}ms`),
          starved: inconclusive('no processor time to match bodies'),
          failed: inconclusive('the thread that matches bodies has ended'),
        };
        void pattern?.test(body).then((result) => {
          if (typeof result === 'boolean') finish(result ? success : otherwise);
          else finish(verdicts[result]);
        });
      });
      const stop = dial(to, (result) => {
        if ('outcome' in result) return finish(result);
        phase = 'answer';
        socket = result;
        if (!tls) return exchange(socket, request, answer, finish);
        try {
          const options = { context: secureContext(tls), verify: tls.verify, serverName, address };
          secure = secureExchange(socket, options, request, answer, finish);
        } catch (error) {
          finish(inconclusive(error instanceof Error ? error.message : String(error)));
        }
      });
      return {
        get answered() {
          return phase === 'match';
        },
        get waitsFor() {
          if (phase === 'connection' || phase === 'match') return phase;
          if (secure && !secure.secure) return 'end of the TLS handshake';
          return answer.begun ? 'end of the answer' : 'answer';
        },
        cancel() {
          phase = 'over';
          stop();
          close();
          return undefined;
        },
      };
    },
  };
}

/** 'shop.example:8443' -> 'shop.example'; an address is no name. */
function nameOf(host: string | undefined): string | undefined {
  if (host === undefined || host.startsWith('[')) return undefined;
  const name = host.replace(/:\d*$/, '');
  return name === '' || isIP(name) ? undefined : name;
}
