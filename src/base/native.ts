// SPDX-License-Identifier: MIT
/** The C addon: non-blocking sockets of every family. Its one path, its types, nothing above it. */

/** Bits of `watch()` and of its callback. */
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
  /** As `connect`, for who connects by the thousand: 0, or the errno (positive) where that throws, EINPROGRESS for one. */
  tryConnect(address: Uint8Array): number;
  listen(backlog: number): void;
  /** The descriptor of the next connection, the caller's; -1 when none waits. */
  accept(): number;
  getsockname(): Buffer;
  /** A number is passed as an int. */
  setsockopt(level: number, name: number, value: number | Uint8Array): void;
  /** At most `length` bytes. */
  getsockopt(level: number, name: number, length: number): Buffer;
  /** Bytes sent, or -1 when it would block. */
  send(data: Uint8Array, address?: Uint8Array | null, control?: Uint8Array | null, flags?: number): number;
  /** Sends the first messages, at most 64, in one system call: how many went out. */
  sendBatch(datas: readonly Uint8Array[], addresses?: readonly Uint8Array[] | null): number;
  /**
   * Receives up to `info.length / 4` messages (at most 64) in one system call and says how many; 0: none there.
   * The buffers are cut into equal slots, one a message; `info` gets length, MSG_* flags, address length and
   * control length of each.
   */
  receive(data: Uint8Array, info: Int32Array, addresses?: Uint8Array | null, control?: Uint8Array | null): number;
  /** Calls back while the socket is ready; a pending socket error counts as ready, `receive()` throws it. */
  watch(events: number, callback: (events: number) => void): void;
  unwatch(): void;
  ref(): void;
  unref(): void;
  /** The descriptor, now the caller's; the object is closed. */
  takeFd(): number;
  close(): void;
}

/**
 * TCP connections by the thousand, each made, seen to come about or fail, and reset; none of them an object. Where a
 * step fails at once, `connect` returns -(step << 12 | errno).
 */
export interface NativeConnector {
  /** Begins one; its number. Addresses are a sockaddr_in or sockaddr_in6, a mark of 0 is none. */
  connect(address: Uint8Array, bind: Uint8Array | null, mark: number): number;
  /**
   * Number and errno (0: connected), in pairs, of those that have ended, and how many; more may be there where that is
   * all there is room for, or 256. Their numbers are not given out again before the next call.
   */
  collect(results: Int32Array): number;
  /** Gives one up; nothing happens to one that has ended. */
  cancel(number: number): void;
  /** Calls back while there is something to collect. */
  watch(callback: () => void): void;
  ref(): void;
  unref(): void;
  close(): void;
}

/** Of `NativeConnector.connect`, in its order. */
export const CONNECT_STEPS = ['socket', 'setup', 'mark', 'bind', 'connect'] as const;

export interface NativeAddon {
  Connector: new () => NativeConnector;
  Socket: new (domain: number, type: number, protocol: number, netns?: string | null) => NativeSocket;
  /** setns(2): moves the calling thread, so only for a process or worker that stays there. */
  enterNetns(path: string): void;
  /** Who connected the Unix socket `fd` (SO_PEERCRED). */
  peerCredentials(fd: number): PeerCredentials;
  /**
   * The content of a regular file, mapped until the process ends: whoever changes the file must put another one into its
   * place. Our own copy, should we write to it.
   */
  mapFile(path: string): Buffer;
  /** flock(2), exclusive, without waiting; held until `fd` is closed. False when someone else holds it. */
  lockFile(fd: number): boolean;
}

export interface PeerCredentials {
  /** 0 for a process that this one cannot see (another pid namespace). */
  pid: number;
  uid: number;
  gid: number;
}

/** What a system call of the addon throws. */
export interface SystemError extends Error {
  code: string;
  errno: number;
  syscall: string;
}

export function isSystemError(error: unknown): error is SystemError {
  return error instanceof Error && 'syscall' in error && 'errno' in error && typeof error.errno === 'number';
}

/** Whoever launches the program may have it already and hand it over (tools/lib/packed.mjs). */
declare const __addon: NativeAddon | undefined;

let addon = typeof __addon === 'undefined' ? undefined : __addon;

/** The addon, loaded at the first call. Sources and bundles lie equally deep, so the path is one and the same. */
export function native(): NativeAddon {
  if (!addon) {
    const module = { exports: {} };
    // As require() does, after a search that takes longer than this.
    process.dlopen(module, `${import.meta.dirname}/../../build/native/lvsd.node`);
    addon = module.exports as NativeAddon;
  }
  return addon;
}
