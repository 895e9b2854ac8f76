// SPDX-License-Identifier: MIT
/** The exchange of an https check: TLS over a connected socket. */
import { Socket } from 'node:net';
import { connect, type SecureContext, type TLSSocket } from 'node:tls';
import type { NativeSocket } from '../../base/native.ts';
import { failure, type Verdict } from '../verdict.ts';
import type { AnswerReader } from './answer.ts';
import { tlsVerdict } from './tls-errors.ts';

export interface SecureOptions {
  context: SecureContext;
  verify: boolean;
  /** Sent as SNI; undefined: none is. */
  serverName: string | undefined;
  /** Whom the certificate is to be for where there is no server name. */
  address: string;
}

export interface SecureExchange {
  readonly secure: boolean;
  close(): void;
}

/** Takes the socket over, which resets the connection when it is closed. */
export function secureExchange(
  socket: NativeSocket,
  { context, verify, serverName, address }: SecureOptions,
  request: Uint8Array,
  answer: AnswerReader,
  fail: (verdict: Verdict) => void,
): SecureExchange {
  const raw = new Socket({ fd: socket.takeFd(), readable: true, writable: true });
  let secure = false;
  const tls: TLSSocket = connect({
    socket: raw,
    host: address,
    // An empty name is none: an address must not be sent as one (RFC 6066, section 3).
    servername: serverName ?? '',
    secureContext: context,
    rejectUnauthorized: verify,
  });
  tls.on('secureConnect', () => {
    secure = true;
    tls.write(request);
  });
  tls.on('data', (bytes: Buffer) => {
    answer.push(bytes);
    // What comes after that is nobody's, and may be endless.
    if (answer.over) tls.destroy();
  });
  const ended = (): void => {
    if (secure) answer.end();
    else fail(failure('closed during the TLS handshake'));
  };
  tls.on('end', ended);
  tls.on('error', (error) => {
    if (!answer.over) fail(tlsVerdict(error, serverName ?? address, secure));
  });
  tls.on('close', ended);
  // A socket that TLS has not taken its errors from yet says them itself.
  raw.on('error', () => {});
  return {
    get secure() {
      return secure;
    },
    close() {
      tls.destroy();
      raw.destroy();
    },
  };
}
