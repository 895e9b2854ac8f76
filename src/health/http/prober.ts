// SPDX-License-Identifier: MIT
/** Prober of http and https checks: one HTTP/1.1 request on a new connection. */
import { isIP } from 'node:net';
import { type Connection, type ConnectionEvents, connections } from '../common/connections.ts';
import { endpoints } from '../common/dial.ts';
import type { ProbeSubject } from '../common/target.ts';
import { failure, inconclusive, type Probe, type Prober, type Verdict } from '../verdict.ts';
import { AnswerReader, type Finding } from './answer.ts';
import { type MatchResult, matcher } from './matcher.ts';
import { requests } from './request.ts';
import type { HttpCheck, TlsCheck } from './schema.ts';
import { type SecureConnection, secureConnection } from './secure.ts';
import { secureContext } from './trust.ts';

const SYSTEM_TRUST: TlsCheck = { serverName: undefined, verify: true, ca: undefined };

/** Verdicts for matches without a result. */
const MATCH_VERDICTS: Record<Exclude<MatchResult, boolean>, Verdict> = {
  slow: failure('body', `the regular expression took more than ${matcher.limit}ms of CPU time on the body`),
  starved: inconclusive('this machine had no CPU time for the regular expression'),
  failed: inconclusive('the thread that runs regular expressions has ended'),
};

/** Over TLS or not. */
type HttpConnection = Connection | SecureConnection;
type Connect = (target: ProbeSubject, events: ConnectionEvents) => HttpConnection;
type Pattern = ReturnType<typeof matcher.pattern>;

/** Prepares a check. Throws if its regular expression is invalid. */
export function httpProber(check: HttpCheck): Prober {
  const pattern = check.body && 'matches' in check.body ? matcher.pattern(check.body.matches) : undefined;
  const connect = connector(check);
  return { start: (target, done) => new Exchange(check, pattern, connect, target, done) };
}

/**
 * A request and its answer. A class, as are connections: V8 makes a hidden class, which lives until the next full
 * collection, for each object literal with a getter.
 */
class Exchange implements Probe, ConnectionEvents {
  readonly #check: HttpCheck;
  readonly #pattern: Pattern | undefined;
  readonly #target: ProbeSubject;
  readonly #done: (verdict: Verdict, negotiated: number) => void;
  #negotiated = 0;
  #connection: HttpConnection | undefined;
  /** Created when the first bytes arrive, because thousands of probes may be waiting for theirs. */
  #answer: AnswerReader | undefined;
  #phase: 'exchange' | 'match' | 'over' = 'exchange';

  constructor(
    check: HttpCheck,
    pattern: Pattern | undefined,
    connect: Connect,
    target: ProbeSubject,
    done: (verdict: Verdict, negotiated: number) => void,
  ) {
    this.#check = check;
    this.#pattern = pattern;
    this.#target = target;
    this.#done = done;
    this.#connection = connect(target, this);
  }

  get answered(): boolean {
    return this.#phase === 'match';
  }

  /** The timeout of a delayed connection begins when it may start. */
  get startedAt(): number | undefined {
    return this.#connection && 'delayed' in this.#connection ? this.#connection.startedAt : undefined;
  }

  get late(): (() => Promise<boolean>) | undefined {
    const delayed = this.#connection && 'delayed' in this.#connection && this.#connection.delayed;
    return delayed ? () => Promise.resolve(!this.answered) : undefined;
  }

  get waitsFor(): string {
    if (this.#phase === 'match') return 'result of the regular expression';
    const connection = this.#connection;
    if (connection && 'delayed' in connection && connection.startedAt === undefined)
      return 'CPU time for its costly TLS handshake';
    if (!this.#connection?.established) return 'connection';
    if ('secure' in this.#connection && !this.#connection.secure) return 'end of the TLS handshake';
    if (!this.#answer) return 'answer';
    return this.#answer.begun ? 'end of the answer' : 'end of the header';
  }

  cancel(): undefined {
    this.#connection?.cancel();
    this.#release();
  }

  data(bytes: Buffer): void {
    this.#reader().push(bytes);
  }

  end(trouble: Verdict | undefined): void {
    if (this.#phase !== 'exchange') return;
    if (trouble) this.#finish(trouble);
    else this.#reader().end();
  }

  #reader(): AnswerReader {
    this.#answer ??= new AnswerReader(this.#check, (finding) => this.#found(finding));
    return this.#answer;
  }

  #found(finding: Finding): void {
    this.#negotiated = this.#connection?.negotiated ?? 0;
    // Lets the peer finish its answer, so that it does not log an error.
    this.#connection?.leave();
    if ('outcome' in finding) {
      this.#finish(finding);
      return;
    }
    this.#phase = 'match';
    const { body, success, otherwise } = finding;
    void this.#pattern
      ?.test(this.#target, body, () => this.#phase === 'match')
      .then((result) => {
        if (typeof result === 'boolean') this.#finish(result ? success : otherwise);
        else this.#finish(MATCH_VERDICTS[result]);
      });
  }

  #finish(verdict: Verdict): void {
    if (this.#phase === 'over') return;
    this.#release();
    this.#done(verdict, this.#negotiated);
  }

  /** Releases the parts of a probe in progress; V8 would keep them as long as this object, until a full collection. */
  #release(): void {
    this.#phase = 'over';
    this.#answer = undefined;
    this.#connection = undefined;
  }
}

/** Returns a function that connects and sends the request. */
function connector(check: HttpCheck): Connect {
  const endpointOf = endpoints(check);
  const requestFor = requests(check);
  if (check.type === 'http')
    return (target, events) => connections().begin(endpointOf(target), requestFor(target), events);
  const tls = check.tls ?? SYSTEM_TRUST;
  const serverName = withoutFinalDot(tls.serverName ?? nameOf(check.host));
  return (target, events) =>
    secureConnection(
      endpointOf(target),
      { target, context: () => secureContext(tls), verify: tls.verify, serverName, address: target.address },
      requestFor(target),
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
