// SPDX-License-Identifier: MIT
/** The exchange of an http check, on a socket of the addon: half the cost of Node's streams. */
import { errnoName } from '../../base/errno.ts';
import { isSystemError, type NativeSocket, READABLE, WRITABLE } from '../../base/native.ts';
import { errorVerdict } from '../common/errors.ts';
import type { Verdict } from '../verdict.ts';
import type { AnswerReader } from './answer.ts';

/** All answers are read into this, one after the other. */
const received = Buffer.alloc(64 << 10);
const info = new Int32Array(4);

/** Sends the request and feeds the answer. The socket stays the caller's, and is not to be touched once it is closed. */
export function exchange(
  socket: NativeSocket,
  request: Uint8Array,
  answer: AnswerReader,
  fail: (verdict: Verdict) => void,
): void {
  let left = request;
  const attempt = (action: () => void): void => {
    try {
      action();
    } catch (error) {
      if (!isSystemError(error)) throw error;
      if (!answer.over) fail(errorVerdict(errnoName(-error.errno)));
    }
  };
  const read = (): void => {
    if (socket.receive(received, info) === 0) return;
    const [length = 0] = info;
    if (length === 0) answer.end();
    else answer.push(received.subarray(0, length));
  };
  const write = (): void => {
    const sent = socket.send(left);
    if (sent >= 0) left = left.subarray(sent);
    const events = left.length > 0 ? READABLE | WRITABLE : READABLE;
    // A server may answer, or close, before it has read all of a long request.
    socket.watch(events, (ready) => attempt(ready & WRITABLE && left.length > 0 ? write : read));
  };
  attempt(write);
}
