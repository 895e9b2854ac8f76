// SPDX-License-Identifier: MIT
/** The endpoint that probes connect to, and connecting with a separate socket. */
import { endianness } from 'node:os';
import { errnoName } from '../../base/errno.ts';
import { type CONNECT_STEPS, isSystemError, type NativeSocket, native, WRITABLE } from '../../base/native.ts';
import { socketAddress } from '../../base/socket-address.ts';
import { packNegotiated } from '../negotiated.ts';
import { inconclusive, type Verdict } from '../verdict.ts';
import { errorVerdict, errorWords } from './errors.ts';
import type { CommonCheck } from './schema.ts';
import type { ProbeSubject } from './target.ts';

// asm-generic/socket.h, linux/in.h
const SOCK_STREAM = 1;
const IPPROTO_IP = 0;
const IPPROTO_TCP = 6;
const SOL_SOCKET = 1;
const SO_ERROR = 4;
const SO_LINGER = 13;
const SO_MARK = 36;
const TCP_INFO = 11;
const IP_BIND_ADDRESS_NO_PORT = 24;

/** struct linger { l_onoff = 1, l_linger = 0 }: close() sends a RST and leaves no TIME_WAIT. */
const LINGER_NONE = new Uint8Array(new Int32Array([1, 0]).buffer);
/** struct linger { l_onoff = 0 }: close() sends a FIN. */
const LINGER_OFF = new Uint8Array(8);

/** The lowest port that the kernel picks as a source, and so the lowest at which a TCP self-connect is possible. */
const FIRST_UNPRIVILEGED_PORT = 1024;

/** Bytes of struct tcp_info up to tcpi_snd_mss. */
const TCP_INFO_BYTES = 20;

export interface Endpoint {
  family: number;
  address: Uint8Array;
  bind: { family: number; bytes: Uint8Array } | undefined;
  mark: number;
  port: number;
}

/** Returns a function that makes the endpoint of a target of this check, and throws if the address is invalid. */
export function endpoints({ bind: from, fwmark: mark }: CommonCheck): (target: ProbeSubject) => Endpoint {
  const bind = from === undefined ? undefined : socketAddress(from, 0);
  return ({ address, port }) => {
    const remote = socketAddress(address, port);
    if (!remote) throw new Error(`${address} is not an address`);
    if (from !== undefined && bind?.family !== remote.family)
      throw new Error(`bind ${from} and ${address} are of different address families`);
    return { family: remote.family, address: remote.bytes, bind, mark, port };
  };
}

/**
 * Connects. Calls back once, possibly before returning, with a socket that the caller must close, or with a verdict.
 * Closing it resets the connection, unless closeByFin() was called. Returns a function that cancels.
 */
export function dial(to: Endpoint, done: (socket: NativeSocket | Verdict) => void): () => void {
  let socket: NativeSocket;
  try {
    socket = new (native().Socket)(to.family, SOCK_STREAM, IPPROTO_TCP);
  } catch (error) {
    done(inconclusive(errorWords(codeOf(error))));
    return () => {};
  }
  const trouble = prepare(socket, to) ?? connect(socket, to) ?? watch(socket, to, done);
  if (trouble) {
    socket.close();
    done(trouble);
  }
  return () => socket.close();
}

/** Makes close() end the connection with a FIN. */
export function closeByFin(socket: NativeSocket): void {
  socket.setsockopt(SOL_SOCKET, SO_LINGER, LINGER_OFF);
}

/** What a socket's handshake has negotiated, as a number of src/health/negotiated.ts. */
export function negotiatedOf(socket: NativeSocket): number {
  const info = socket.getsockopt(IPPROTO_TCP, TCP_INFO, TCP_INFO_BYTES);
  // The scale is a bit-field of four bits, in the order of the machine's bytes.
  const scales = info[6] ?? 0;
  const mss = little ? info.readUInt32LE(16) : info.readUInt32BE(16);
  return packNegotiated(info[5] ?? 0, little ? scales & 15 : scales >> 4, mss);
}

/** Sets options and the source address. Failures are those of this machine, not of the target. */
function prepare(socket: NativeSocket, { bind, mark }: Endpoint): Verdict | undefined {
  let step: ConnectStep = 'setup';
  try {
    socket.setsockopt(SOL_SOCKET, SO_LINGER, LINGER_NONE);
    if (mark) {
      step = 'mark';
      socket.setsockopt(SOL_SOCKET, SO_MARK, mark | 0);
    }
    if (bind) {
      step = 'bind';
      // Choose the port at connect(): one chosen at bind() would be unavailable for every other destination.
      socket.setsockopt(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
      socket.bind(bind.bytes);
    }
    return undefined;
  } catch (error) {
    return stepVerdict(step, codeOf(error), mark);
  }
}

type ConnectStep = (typeof CONNECT_STEPS)[number];

/** The verdict for a target if this step of connecting fails. */
export function stepVerdict(step: ConnectStep, code: string, mark: number): Verdict {
  const words = errorWords(code);
  switch (step) {
    case 'socket':
      return inconclusive(words);
    case 'setup':
      return inconclusive(`the socket could not be set up: ${words}`);
    case 'mark':
      return inconclusive(`the firewall mark ${mark} could not be set: ${words}`);
    case 'bind':
      return inconclusive(
        `the source address could not be bound: ${code === 'EADDRNOTAVAIL' ? 'this machine does not have it' : words}`,
      );
    case 'connect':
      return errorVerdict(code);
  }
}

function connect(socket: NativeSocket, { address }: Endpoint): Verdict | undefined {
  const error = socket.tryConnect(address);
  const code = errnoName(error);
  return error === 0 || code === 'EINPROGRESS' ? undefined : errorVerdict(code);
}

function watch(
  socket: NativeSocket,
  to: Endpoint,
  done: (socket: NativeSocket | Verdict) => void,
): Verdict | undefined {
  try {
    socket.watch(WRITABLE, () => {
      const result = outcome(socket, to);
      if (result) socket.close();
      done(result ?? socket);
    });
    return undefined;
  } catch (error) {
    return inconclusive(errorWords(codeOf(error)));
  }
}

/** Undefined if connected. */
function outcome(socket: NativeSocket, { address, port }: Endpoint): Verdict | undefined {
  try {
    const error = readInt(socket.getsockopt(SOL_SOCKET, SO_ERROR, 4));
    if (error) return errorVerdict(errnoName(error));
    // TCP self-connect: a port of this machine without a listener, which the kernel also picked as the source.
    if (
      port >= FIRST_UNPRIVILEGED_PORT &&
      Buffer.compare(socket.getsockname().subarray(0, address.length), address) === 0
    )
      return errorVerdict('ECONNREFUSED');
    return undefined;
  } catch (error) {
    return errorVerdict(codeOf(error));
  }
}

const little = endianness() === 'LE';
const readInt = (bytes: Buffer): number => (little ? bytes.readInt32LE() : bytes.readInt32BE());

function codeOf(error: unknown): string {
  if (isSystemError(error)) return errnoName(-error.errno);
  throw error;
}
