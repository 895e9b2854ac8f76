// SPDX-License-Identifier: MIT
/** A control server on a socket of its own, whose handlers record their calls. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { EventLog } from '../../../src/control/events/log.ts';
import type { DaemonStatus } from '../../../src/control/messages.ts';
import { METHODS } from '../../../src/control/methods.ts';
import { ControlServer, type ControlServerOptions, type Handlers } from '../../../src/control/server.ts';
import { recordingLog } from '../../support/recording-log.ts';

const folder = mkdtempSync(join(tmpdir(), 'lvsd-control-'));
let sockets = 0;
after(() => rmSync(folder, { recursive: true, force: true }));

export const freshPath = () => join(folder, `${sockets++}.sock`);

/** Every method has a handler, so that a new one needs no change here. */
const unimplemented = Object.fromEntries(Object.keys(METHODS).map((name) => [name, () => ({})])) as unknown as Handlers;

export const STATUS: DaemonStatus = {
  version: '9.9.9',
  pid: 4711,
  startedAt: 1_000,
  file: '/etc/lvsd/lvsd.yaml',
  loadedAt: 2_000,
  reloadError: undefined,
  paused: false,
  services: [],
};

export function fakeDaemon(handlers: Partial<Handlers> = {}, options: Partial<ControlServerOptions> = {}) {
  const path = options.path ?? freshPath();
  const calls: unknown[] = [];
  const log = recordingLog();
  const events = new EventLog();
  const called =
    <P, R>(name: string, result: R) =>
    (params: P): R => {
      calls.push([name, params]);
      return result;
    };
  const server = new ControlServer({
    path,
    events,
    log,
    handlers: {
      ...unimplemented,
      ping: called('ping', { version: '9.9.9', pid: 4711, file: '/etc/lvsd/lvsd.yaml' }),
      status: called('status', STATUS),
      plan: called('plan', { file: '/etc/lvsd/lvsd.yaml', lines: [] }),
      reload: called('reload', { operations: 3, failed: [], paused: false }),
      drain: called('drain', { servers: ['shop web1'], paused: false }),
      undrain: called('undrain', { servers: ['shop web1'], paused: false }),
      pause: (params) => {
        calls.push(['pause', params]);
        return { paused: params.on };
      },
      ...handlers,
    },
    ...options,
  });
  return { path, server, calls, log, events, [Symbol.dispose]: () => server.close() };
}

/** A client that sends bytes as they are. */
export async function rawClient(path: string): Promise<Socket> {
  const socket = connect({ path, allowHalfOpen: true });
  await new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  socket.on('error', () => {});
  return socket;
}

/** All answers until the server ends the connection, parsed. */
export async function answers(path: string, bytes: string | Buffer): Promise<unknown[]> {
  const socket = await rawClient(path);
  socket.end(bytes);
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
}
