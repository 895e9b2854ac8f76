// SPDX-License-Identifier: MIT
/** A listening Unix socket that only its owner, or a group, can open and only one process serves. */
import { chmodSync, chownSync, closeSync, constants, lstatSync, mkdirSync, openSync, unlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import { dirname } from 'node:path';
import { EXIT, LvsdError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { isSystemError, type NativeSocket, native, type PeerCredentials, READABLE } from '../base/native.ts';
import { AF_UNIX, unixAddress } from '../base/unix-address.ts';

const SOCK_STREAM = 1;
const BACKLOG = 64;
/** Connections accepted per turn of the event loop, so that a burst does not block it. */
const ROUND = 16;
/** Milliseconds until accept() is tried again after a failure, most likely for lack of descriptors. */
const PAUSE = 1000;

export type ConnectionHandler = (socket: Socket, peer: PeerCredentials) => void;

/** Another process serves the socket. */
export class AlreadyRunningError extends LvsdError {
  constructor(path: string) {
    super('ERR_LVSD_RUNNING', `another lvsd is running and serves ${path}`);
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
   * Listens on `path` with mode 0600, or 0660 for a group. Creates its folder if missing and replaces a stale socket. Throws
   * AlreadyRunningError if another process serves it, LvsdError otherwise.
   */
  constructor(path: string, handler: ConnectionHandler, log: Log, group?: number) {
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
      if (group !== undefined) openToGroup(this.#socket, path, group);
    } catch (error) {
      closeSync(this.#lock);
      throw explained(error, path);
    }
    this.#watch();
  }

  /** Stops listening; existing connections stay open. */
  close(): void {
    if (this.#socket.fd < 0) return;
    clearTimeout(this.#pause);
    this.#socket.close();
    try {
      unlinkSync(this.#path);
    } catch {
      // Already removed.
    }
    // Last, so that no other lvsd takes over the path before the socket is removed.
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
        const why = error instanceof Error ? error.message : error;
        this.#log.error(`cannot accept a connection on ${this.#path}, next attempt in ${PAUSE / 1000} s: ${why}`);
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
      this.#log.error(`cannot serve a connection on ${this.#path}: ${error instanceof Error ? error.message : error}`);
      return;
    }
    this.#handler(socket, peer);
  }
}

/** Runs `work` while no other process serves the socket of `path` or begins to. Throws AlreadyRunningError. */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  let held: number;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    held = lock(path);
  } catch (error) {
    throw explained(error, path);
  }
  try {
    return await work();
  } finally {
    closeSync(held);
  }
}

/**
 * The lock decides which process serves the socket: of two that start at the same time, the second cannot mistake the
 * first one's new socket for a stale one. The kernel releases it when the process ends; the file remains.
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
  if (!found.isSocket())
    throw new LvsdError(
      'ERR_LVSD_SOCKET_PATH',
      `${path} exists and is not a socket: remove it or configure another path`,
    );
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
  // The umask makes bind() create the socket with its final mode, so that others can never connect.
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

/** Throws if this process must not give files to the group. */
function openToGroup(socket: NativeSocket, path: string, group: number): void {
  try {
    chownSync(path, -1, group);
    chmodSync(path, 0o660);
  } catch (error) {
    socket.close();
    unlinkSync(path);
    throw error;
  }
}

function explained(error: unknown, path: string): unknown {
  if (!isSystemError(error)) return error;
  const denied = error.code === 'EACCES' || error.code === 'EPERM' || error.code === 'EROFS';
  const text = `cannot create the control socket ${path}: ${error.message}`;
  return new LvsdError('ERR_LVSD_CONTROL_SOCKET', text, denied ? EXIT.NOT_PERMITTED : EXIT.RUNTIME);
}
