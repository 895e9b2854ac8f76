// SPDX-License-Identifier: MIT
// Kernel sockets in any namespace, from one process: servers, and clients that measure their handshake.
import { createServer, type Server, Socket } from 'node:net';
import type { Namespace } from '../../../lab/topology.ts';
import { parseIpv4 } from '../../../src/base/addresses.ts';
import { isSystemError, type NativeSocket, native, WRITABLE } from '../../../src/base/native.ts';
import { captures, netnsPath } from './wire.ts';

const AF_INET = 2;
const SOCK_STREAM = 1;
const IPPROTO_TCP = 6;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_ERROR = 4;
const IPPROTO_IP = 0;
const IP_BIND_ADDRESS_NO_PORT = 24;
const EINPROGRESS = 115;
const codes: Record<number, string> = { 104: 'ECONNRESET', 110: 'ETIMEDOUT', 111: 'ECONNREFUSED', 113: 'EHOSTUNREACH' };

function endpoint(address: string, port: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(AF_INET, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(parseIpv4(address) ?? [], 4);
  return bytes;
}

/** Servers and sockets that keep the process alive until closeAll(). */
const alive = { servers: new Set<Server>(), sockets: new Set<Socket>() };

function keep(socket: Socket): void {
  socket.on('error', () => {});
  alive.sockets.add(socket);
  socket.once('close', () => alive.sockets.delete(socket));
}

/** Ends every server, connection and capture of this process. */
export function closeAll(): void {
  for (const server of alive.servers) server.close();
  for (const socket of alive.sockets) socket.destroy();
  for (const capture of captures) capture.close();
  alive.servers.clear();
}

export interface DialOptions {
  /** Local address and port. */
  from?: string;
  fromPort?: number;
  /** ms; then the error is ETIMEDOUT. */
  timeout?: number;
}

/** A failed handshake: the errno's name, and the time that it took. */
export class DialError extends Error {
  readonly code: string;
  readonly ms: number;

  constructor(code: string, ms: number) {
    super(`${code} after ${Math.round(ms)} ms`);
    this.code = code;
    this.ms = ms;
  }
}

export interface Dialed {
  socket: Socket;
  /** Duration of the handshake. */
  ms: number;
}

function connectNow(socket: NativeSocket, to: Buffer): void {
  try {
    socket.connect(to);
  } catch (error) {
    if (!isSystemError(error) || error.errno !== -EINPROGRESS) throw error;
  }
}

/** Connects from a namespace. The socket has an error listener: look at `errored` and `close`. */
export function dial(where: Namespace, to: string, port: number, options: DialOptions = {}): Promise<Dialed> {
  const socket = new (native().Socket)(AF_INET, SOCK_STREAM, IPPROTO_TCP, netnsPath(where));
  socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
  if (options.from !== undefined || options.fromPort !== undefined) {
    if (options.fromPort === undefined) socket.setsockopt(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    socket.bind(endpoint(options.from ?? '0.0.0.0', options.fromPort ?? 0));
  }
  return new Promise((done, fail) => {
    const started = performance.now();
    connectNow(socket, endpoint(to, port));
    const end = (code: string) => {
      clearTimeout(timer);
      socket.close();
      fail(new DialError(code, performance.now() - started));
    };
    const timer = setTimeout(() => end('ETIMEDOUT'), options.timeout ?? 20_000);
    socket.watch(WRITABLE, () => {
      const ms = performance.now() - started;
      let errno = 0;
      try {
        errno = socket.getsockopt(SOL_SOCKET, SO_ERROR, 4).readInt32LE();
      } catch (error) {
        end(isSystemError(error) ? (codes[-error.errno] ?? error.code) : String(error));
        return;
      }
      if (errno !== 0) {
        end(codes[errno] ?? `errno ${errno}`);
        return;
      }
      clearTimeout(timer);
      socket.unwatch();
      const connected = new Socket({ fd: socket.takeFd(), readable: true, writable: true, allowHalfOpen: false });
      keep(connected);
      done({ socket: connected, ms });
    });
  });
}

/** Listens in a namespace; every connection's socket has an error listener. `sockets` are those still open. */
export async function listen(
  where: Namespace,
  port: number,
  onConnection: (socket: Socket) => void,
  { address = '0.0.0.0', allowHalfOpen = false }: { address?: string; allowHalfOpen?: boolean } = {},
): Promise<Server & { sockets: Set<Socket> }> {
  const socket = new (native().Socket)(AF_INET, SOCK_STREAM, IPPROTO_TCP, netnsPath(where));
  socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
  socket.bind(endpoint(address, port));
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen }, (connection) => {
    sockets.add(connection);
    keep(connection);
    connection.once('close', () => sockets.delete(connection));
    onConnection(connection);
  });
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    server.listen({ fd: socket.takeFd(), backlog: 4096 }, done);
  });
  alive.servers.add(server);
  return Object.assign(server, { sockets });
}

/** All data until the other end closes. */
export function readAll(socket: Socket): Promise<string> {
  return new Promise((done, fail) => {
    let text = '';
    socket.setEncoding('latin1').on('data', (data: string) => {
      text += data;
    });
    socket.once('end', () => done(text));
    socket.once('error', fail);
  });
}

export function closed(socket: Socket): Promise<void> {
  return socket.closed ? Promise.resolve() : new Promise((done) => socket.once('close', () => done()));
}
