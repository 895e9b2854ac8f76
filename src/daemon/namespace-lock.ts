// SPDX-License-Identifier: MIT
/**
 * One lvsd a network namespace: two would undo each other's changes. The lock is a listening socket with an abstract
 * name, which belongs to the network namespace, whatever socket, state or mount namespace the processes have, and ends
 * with its process.
 */
import { EXIT, LvsdError } from '../base/errors.ts';
import { isSystemError, type NativeSocket, native, type PeerCredentials } from '../base/native.ts';
import { AF_UNIX, unixAddress } from '../base/unix-address.ts';

const NAME = '@lvsd';
const SOCK_STREAM = 1;

export class NamespaceTakenError extends LvsdError {
  constructor(pid: number) {
    const process = pid > 0 ? `pid ${pid}` : 'in another PID namespace';
    super('ERR_LVSD_RUNNING', `another lvsd is running in this network namespace (${process})`, EXIT.RUNTIME);
  }
}

export interface NamespaceLock {
  close(): void;
}

/**
 * Throws NamespaceTakenError if another lvsd runs here. Anybody may bind an abstract name: one that a user other than
 * root and this one holds is reported to `warn`, and does not keep lvsd from starting.
 */
export function lockNamespace(warn: (text: string) => void, name = NAME): NamespaceLock {
  const address = unixAddress(name);
  const socket = new (native().Socket)(AF_UNIX, SOCK_STREAM, 0);
  try {
    socket.bind(address);
    // Its credentials are those that a peer sees.
    socket.listen(64);
    return socket;
  } catch (error) {
    socket.close();
    if (!isSystemError(error) || error.code !== 'EADDRINUSE') throw error;
  }
  const owner = holder(address);
  if (owner && (owner.uid === 0 || owner.uid === process.geteuid?.())) throw new NamespaceTakenError(owner.pid);
  warn(
    `the socket ${name}, which tells whether another lvsd runs in this network namespace, is held by ${owner ? `uid ${owner.uid}, pid ${owner.pid}` : 'an unknown process'}: not used`,
  );
  return { close: () => {} };
}

/** Undefined: it has just ended, or does not answer. */
function holder(address: Buffer): PeerCredentials | undefined {
  let probe: NativeSocket | undefined;
  try {
    probe = new (native().Socket)(AF_UNIX, SOCK_STREAM, 0);
    probe.connect(address);
    return native().peerCredentials(probe.fd);
  } catch (error) {
    if (isSystemError(error)) return undefined;
    throw error;
  } finally {
    probe?.close();
  }
}
