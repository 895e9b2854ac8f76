// SPDX-License-Identifier: MIT
/** A Unix socket that only its owner can open and only one process serves. */
import { closeSync, constants, lstatSync, mkdirSync, openSync, unlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import { dirname } from 'node:path';
import { EXIT, LvsdError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { isSystemError, type NativeSocket, native, type PeerCredentials, READABLE } from '../base/native.ts';
import { AF_UNIX, unixAddress } from '../base/unix-address.ts';

const SOCK_STREAM = 1;
const BACKLOG = 64;
/** Connections taken in one go, so that a storm of them cannot keep the event loop. */
const ROUND = 16;
/** Milliseconds without accept() after it failed: most likely descriptors have run out. */
const PAUSE = 1000;

export type ConnectionHandler = (socket: Socket, peer: PeerCredentials) => void;

/** Somebody answers on this socket already. */
export class AlreadyRunningError extends LvsdError {
  constructor(path: string) {
    super('ERR_LVSD_RUNNING', `another lvsd is running: it holds ${path}`);
  }
}

export class UnixListener {
  readonly #path: string;
  readonly #log: Log;
  readonly #handler: ConnectionHandler;
  readonly #lock: number;
  readonly #socket: NativeSocket;
  #pause: NodeJS.Timeout | undefined;

  /**
   * Serves `path`, mode 0600. Makes its folder if missing; replaces a socket that nobody answers on. Throws
   * `AlreadyRunningError` when somebody does, `LvsdError` for all else.
   */
  constructor(path: string, handler: ConnectionHandler, log: Log) {
    this.#path = path;
    this.#handler = handler;
    this.#log = log;
    const address = unixAddress(path);
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
      this.#lock = lock(path);
    } catch (error) {
      throw explained(error, path);
    }
    try {
      removeStale(path, address);
      this.#socket = listen(address);
    } catch (error) {
      closeSync(this.#lock);
      throw explained(error, path);
    }
    this.#watch();
  }

  /** No more connections; those there are stay. */
  close(): void {
    if (this.#socket.fd < 0) return;
    clearTimeout(this.#pause);
    this.#socket.close();
    try {
      unlinkSync(this.#path);
    } catch {
      // Someone else removed it.
    }
    // Last: until here no other lvsd may think that the socket is its own.
    closeSync(this.#lock);
  }

  #watch(): void {
    this.#socket.watch(READABLE, () => this.#accept());
  }

  #accept(): void {
    for (let i = 0; i < ROUND && this.#socket.fd >= 0; i++) {
      let fd: number;
      try {
        fd = this.#socket.accept();
      } catch (error) {
        this.#log.error(`control socket: ${error instanceof Error ? error.message : error}`);
        this.#socket.unwatch();
        this.#pause = setTimeout(() => this.#watch(), PAUSE);
        return;
      }
      if (fd < 0) return;
      this.#open(fd);
    }
  }

  #open(fd: number): void {
    let socket: Socket;
    let peer: PeerCredentials;
    try {
      peer = native().peerCredentials(fd);
      socket = new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
    } catch (error) {
      closeSync(fd);
      this.#log.error(`control socket: ${error instanceof Error ? error.message : error}`);
      return;
    }
    this.#handler(socket, peer);
  }
}

/**
 * Whoever holds the lock is the one lvsd of this socket: of two that start at once, the second cannot take the first's
 * fresh socket for a stale one. The kernel drops it when the process dies; the file stays.
 */
function lock(path: string): number {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
  const fd = openSync(`${path}.lock`, flags, 0o600);
  let held = false;
  try {
    held = native().lockFile(fd);
  } finally {
    if (!held) closeSync(fd);
  }
  if (!held) throw new AlreadyRunningError(path);
  return fd;
}

function removeStale(path: string, address: Buffer): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSocket()) throw new LvsdError('ERR_LVSD_SOCKET_PATH', `${path} is there and is no socket`);
  const probe = new (native().Socket)(AF_UNIX, SOCK_STREAM, 0);
  try {
    probe.connect(address);
  } catch (error) {
    if (!isSystemError(error) || error.code !== 'ECONNREFUSED') throw new AlreadyRunningError(path);
    unlinkSync(path);
    return;
  } finally {
    probe.close();
  }
  throw new AlreadyRunningError(path);
}

function listen(address: Buffer): NativeSocket {
  const socket = new (native().Socket)(AF_UNIX, SOCK_STREAM, 0);
  // The mode comes with the bind, so that there is no moment in which others could connect.
  const mask = process.umask(0o177);
  try {
    socket.bind(address);
    socket.listen(BACKLOG);
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  } finally {
    process.umask(mask);
  }
}

function explained(error: unknown, path: string): unknown {
  if (!isSystemError(error)) return error;
  const denied = error.code === 'EACCES' || error.code === 'EPERM' || error.code === 'EROFS';
  const text = `no control socket at ${path}: ${error.message}`;
  return new LvsdError('ERR_LVSD_CONTROL_SOCKET', text, denied ? EXIT.NOT_PERMITTED : EXIT.RUNTIME);
}
