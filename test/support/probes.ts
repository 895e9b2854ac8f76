// SPDX-License-Identifier: MIT
// Runs single probes as the health worker does, and servers to probe.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { after } from 'node:test';
import { formatDuration } from '../../src/base/durations.ts';
import type { ExecCheck } from '../../src/health/exec/schema.ts';
import type { HttpCheck } from '../../src/health/http/schema.ts';
import type { TcpCheck } from '../../src/health/tcp/schema.ts';
import type { Check, Target } from '../../src/health/types.ts';
import { loadProbers } from '../../src/health/worker/probers.ts';

const prepare = await loadProbers();

const COMMON = {
  interval: 1000,
  timeout: 1000,
  rise: 2,
  fall: 3,
  start: 'auto',
  address: undefined,
  port: 0,
  bind: undefined,
  fwmark: 0,
} as const;

export const TCP: TcpCheck = { ...COMMON, type: 'tcp' };
export const HTTP: HttpCheck = {
  ...COMMON,
  type: 'http',
  method: 'GET',
  path: '/',
  host: undefined,
  headers: [],
  status: [[200, 299]],
  body: undefined,
  tls: undefined,
};
export const EXEC: ExecCheck = { ...COMMON, type: 'exec', command: [], user: undefined };

let targets = 0;

export function target(check: Check, port: number, address = '127.0.0.1'): Target {
  return { id: `target-${++targets}`, address, port, check, initiallyUp: true, label: `shop ${address}:${port}` };
}

/** Verdict of one probe within the check's timeout, such as "success: connected". */
export async function probe(of: Target): Promise<string> {
  const prober = prepare(of.check);
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    const running = prober.start(of, ({ outcome, reason }) => {
      clearTimeout(timer);
      resolve(`${outcome}: ${reason}`);
      // The verdict came before `start` returned: no time-out is needed.
      timer ??= setTimeout(() => {}, 0);
    });
    timer ??= setTimeout(async () => {
      const { waitsFor } = running;
      await running.cancel();
      resolve(`failure: no ${waitsFor} within ${formatDuration(of.check.timeout)}`);
    }, of.check.timeout);
  });
}

/** Starts a server until the tests of the file have ended; its port. */
export async function serve(onSocket: (socket: Socket) => void, host = '127.0.0.1'): Promise<number> {
  const server = createServer((socket) => {
    // Probes end by a reset.
    socket.on('error', () => {});
    onSocket(socket);
  });
  return listening(server, host);
}

export async function listening(server: Server, host = '127.0.0.1'): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, host);
  await once(server, 'listening');
  after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

/** A port without a listener. */
export async function closedPort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
