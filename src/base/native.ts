// SPDX-License-Identifier: MIT
/** Loads the C addon and declares its types. */

/** Event bits of `watch()` and of its callback. */
export const READABLE = 1;
export const WRITABLE = 2;

/**
 * A non-blocking socket. Addresses, options and control messages are bytes in the kernel's layout. Every failed
 * system call throws an `Error` with `code` ('ENOBUFS'), `errno` (negative) and `syscall`, every misuse a `TypeError`.
 */
export interface NativeSocket {
  /** -1 once closed or taken. */
  readonly fd: number;
  bind(address: Uint8Array): void;
  connect(address: Uint8Array): void;
  /**
   * Like `connect`, but returns 0 or the errno (positive), EINPROGRESS included, instead of throwing: cheaper in bulk.
   */
  tryConnect(address: Uint8Array): number;
  listen(backlog: number): void;
  /** The descriptor of the next pending connection, which the caller must close; -1 if there is none. */
  accept(): number;
  getsockname(): Buffer;
  /** A number is passed as an int. */
  setsockopt(level: number, name: number, value: number | Uint8Array): void;
  /** A classic BPF program: 8 bytes for each instruction. Replaces an earlier one. */
  attachFilter(instructions: Uint8Array): void;
  /** At most `length` bytes. */
  getsockopt(level: number, name: number, length: number): Buffer;
  /** Bytes sent, or -1 if it would block. */
  send(data: Uint8Array, address?: Uint8Array | null, control?: Uint8Array | null, flags?: number): number;
  /** Sends up to 64 messages in one system call and returns how many were sent. */
  sendBatch(datas: readonly Uint8Array[], addresses?: readonly Uint8Array[] | null): number;
  /**
   * Receives up to `info.length / 4` messages (at most 64) in one system call and returns their number; 0: none.
   * The buffers are divided into equal slots, one per message; `info` receives length, MSG_* flags, address length
   * and control length of each.
   */
  receive(data: Uint8Array, info: Int32Array, addresses?: Uint8Array | null, control?: Uint8Array | null): number;
  /** Calls back while the socket is ready. A pending socket error counts as ready; `receive()` throws it. */
  watch(events: number, callback: (events: number) => void): void;
  unwatch(): void;
  ref(): void;
  unref(): void;
  /** Returns the descriptor, which the caller must close; the object is closed. */
  takeFd(): number;
  close(): void;
}

/**
 * Opens TCP connections in bulk, without an object per connection: reports whether each succeeded, or sends a request on
 * each and reports the answer. If a step fails immediately, `connect` returns -(step << 12 | errno).
 */
export interface NativeConnector {
  /**
   * Starts a connection and returns its number. Addresses are a sockaddr_in or sockaddr_in6; mark 0 sets none. Without a
   * `request` the connection is reset as soon as it is established.
   */
  connect(address: Uint8Array, bind: Uint8Array | null, mark: number, request?: Uint8Array | null): number;
  /**
   * Writes three numbers per result and returns the number of results; there may be more. (connection, 0, errno): it has
   * ended; errno 0 means connected or, after a request, closed by the peer. (connection, 1, length): the next `length`
   * bytes of `data` are part of its answer. Numbers of ended connections are reused only after the next call.
   */
  collect(results: Int32Array, data: Uint8Array): number;
  /** Resets a connection; no effect on one that has ended. */
  cancel(number: number): void;
  /** Whether a connection with a request is established. */
  established(number: number): boolean;
  /**
   * Result of the handshake as a number of src/health/negotiated.ts; also of a connection that has ended, until the next
   * call of `collect`. 0: not known.
   */
  negotiated(number: number): number;
  /** Calls back while there are results to collect. */
  watch(callback: () => void): void;
  ref(): void;
  unref(): void;
  close(): void;
}

/** Steps of `NativeConnector.connect` by number. */
export const CONNECT_STEPS = ['socket', 'setup', 'mark', 'bind', 'connect'] as const;

export interface NativeAddon {
  Connector: new () => NativeConnector;
  Socket: new (domain: number, type: number, protocol: number, netns?: string | null) => NativeSocket;
  /** setns(2): moves the calling thread; meant for a process or worker that stays there. */
  enterNetns(path: string): void;
  /** The process that connected the Unix socket `fd` (SO_PEERCRED). */
  peerCredentials(fd: number): PeerCredentials;
  /** flock(2), exclusive, without waiting; held until `fd` is closed. False if it is held elsewhere. */
  lockFile(fd: number): boolean;
  /** sched_setscheduler(2) for one thread (0: the caller's), with SCHED_RESET_ON_FORK. */
  setScheduler(tid: number, policy: number, priority: number): void;
  /** setrlimit(2); unsigned 32-bit numbers. */
  setResourceLimit(resource: number, soft: number, hard: number): void;
  /**
   * execve(2) with no_new_privs and, of the present capabilities, those of `capabilities` (bits 0 to 31). Arguments, the
   * first one the program's name, and environment are bytes of strings that each end with NUL. The program inherits `fd`, 0, 1, 2.
   * Returns only by an exception; the calling thread may have lost capabilities then.
   */
  execute(path: string, args: Uint8Array, environment: Uint8Array, fd: number, capabilities: number): void;
  /** Sets FD_CLOEXEC on all open descriptors but 0, 1 and 2: programs started later do not inherit them. */
  closeOnExec(): void;
}

export interface PeerCredentials {
  /** 0 for a process in a pid namespace that is not visible from here. */
  pid: number;
  uid: number;
  gid: number;
}

/** Thrown by system calls of the addon, in Node's own form. */
export interface SystemError extends Error {
  code: string;
  errno: number;
  syscall: string;
}

/** Whether an error is that of a system call, from the addon or from Node. */
export function isSystemError(error: unknown): error is SystemError {
  return error instanceof Error && 'syscall' in error && 'errno' in error && typeof error.errno === 'number';
}

let addon: NativeAddon | undefined;

/** The addon, loaded at the first call. Sources and bundles are equally deep, so one relative path serves both. */
export function native(): NativeAddon {
  if (!addon) {
    const module = { exports: {} };
    // Same as require(), without its slower lookup.
    process.dlopen(module, `${import.meta.dirname}/../../build/native/lvsd.node`);
    addon = module.exports as NativeAddon;
  }
  return addon;
}
