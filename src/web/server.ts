// SPDX-License-Identifier: MIT
/**
 * `lvsd web`: metrics, events and a page over HTTP, from the read-only socket of the daemon. It has no right of its own, and
 * changes nothing.
 */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect } from 'node:net';
import { errorLine } from '../base/error-line.ts';
import { LvsdError } from '../base/errors.ts';
import { isSystemError } from '../base/native.ts';
import { WEB_PARTS, type WebPart } from '../base/web-settings.ts';
import { EventStreams } from './event-streams.ts';
import type { Listen } from './listen.ts';
import { Page } from './page-routes.ts';
import { allowedHosts, refusalOf, SECURITY_HEADERS } from './requests.ts';
import { respond } from './respond.ts';
import { Scrapes } from './scrapes.ts';
import type { Secrets } from './secrets.ts';
import type { Users } from './users.ts';

/** Bytes. */
const LARGEST_HEADER = 8192;
/** Milliseconds. */
const HEADERS_TIMEOUT = 5000;
const REQUEST_TIMEOUT = 10_000;
const MOST_CONNECTIONS = 64;
/** The first descriptor of sd_listen_fds(3). */
const FIRST_PASSED = 3;

export interface WebOptions {
  listen: Listen;
  /** The daemon's read-only socket. */
  socket: string;
  /** Names by which it may be asked, besides its address and those of loopback. */
  hosts: readonly string[];
  /** Default: all. */
  serve?: readonly WebPart[];
  /** Undefined: plain HTTP. */
  tls?: Secrets['tls'];
  /** Undefined: for everybody who can reach it. */
  users?: Users | undefined;
  /** Called, and waited for, before a request is answered; it may close the server. */
  before?: () => Promise<void> | undefined;
  /** A line for the log. */
  log: (text: string) => void;
}

/** Completes the path of a request. */
const BASE = 'http://localhost';
const NOT_FOUND = 'not found; lvsd: / is the page, /metrics for Prometheus, /events as server-sent events\n';

/** A server; the caller lets it listen. */
export function webServer({ listen, socket, hosts, serve = WEB_PARTS, tls, users, before, log }: WebOptions): Server {
  const allowed = allowedHosts(listen, hosts);
  let known: string | undefined;
  const scrapes = new Scrapes(socket, (problem) => {
    if (problem !== known) log(problem ?? 'the daemon answers again');
    known = problem;
  });
  const streams = new EventStreams(socket);
  const page = new Page(socket, log);
  const limits = {
    maxHeaderSize: LARGEST_HEADER,
    headersTimeout: HEADERS_TIMEOUT,
    requestTimeout: REQUEST_TIMEOUT,
    connectionsCheckingInterval: 1000,
  };
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value);
    // A body is not read.
    request.resume();
    // A pipelined request: until the answer before it is sent, its own has no socket, and would not see it close.
    if (response.socket === null) {
      request.socket.destroy();
      return;
    }
    // RFC 9112, section 3.2.
    if ((request.headersDistinct.host?.length ?? 0) > 1) {
      respond(response, 400, 'more than one Host\n', { Connection: 'close' });
      return;
    }
    const refusal = refusalOf(request.method, request.headers, allowed, request.url);
    if (refusal) {
      respond(response, refusal.status, refusal.text, { Connection: 'close', ...refusal.headers });
      return;
    }
    if (!URL.canParse(request.url ?? '/', BASE)) {
      respond(response, 400, 'not a path\n');
      return;
    }
    const { pathname, searchParams } = new URL(request.url ?? '/', BASE);
    const answer = async () => {
      await before?.();
      if (request.socket.destroyed) return;
      const unknown = await users?.refusal(request);
      if (unknown) respond(response, unknown.status, unknown.text, { Connection: 'close', ...unknown.headers });
      else if (!serve.includes(partOf(pathname))) respond(response, 404, 'not served here (web.serve)\n');
      else if (pathname === '/metrics') await scrapes.serve(request, response, searchParams);
      else if (pathname === '/events') await streams.serve(request, response, searchParams);
      else if (!(await page.serve(request, response, pathname, searchParams))) respond(response, 404, NOT_FOUND);
    };
    answer().catch((error: unknown) => {
      log(`${pathname}: ${errorLine(error)}`);
      if (response.headersSent) response.destroy();
      else respond(response, 500, 'internal error: the log of lvsd web has it\n');
    });
  };
  const server = tls
    ? createTlsServer({ ...limits, ...tls, handshakeTimeout: HEADERS_TIMEOUT }, onRequest)
    : createServer(limits, onRequest);
  server.maxConnections = MOST_CONNECTIONS;
  server.on('close', () => {
    page.close();
    scrapes.close();
  });
  return server;
}

const partOf = (path: string): WebPart => (path === '/metrics' ? 'metrics' : path === '/events' ? 'events' : 'page');

/** Throws LvsdError. */
export async function listening(server: Server, listen: Listen): Promise<void> {
  try {
    if (listen.kind === 'unix') await removeStale(listen.path);
    await new Promise<void>((resolve, reject) => {
      server.on('error', reject);
      if (listen.kind === 'tcp') server.listen({ host: listen.host, port: listen.port }, resolve);
      else if (listen.kind === 'systemd') server.listen({ fd: passedDescriptor() }, resolve);
      else server.listen({ path: listen.path }, resolve);
    });
    if (listen.kind === 'unix') chmodSync(listen.path, 0o660);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new LvsdError('ERR_LVSD_WEB', `cannot listen on ${listenText(listen)}: ${errorLine(error)}`);
  }
}

/** Throws LvsdError if the service manager passed no socket. */
function passedDescriptor(): number {
  const { LISTEN_PID: pid, LISTEN_FDS: count } = process.env;
  if (pid !== String(process.pid) || !(Number(count) >= 1))
    throw new LvsdError('ERR_LVSD_WEB', '--listen systemd: no socket was passed (lvsd-web.socket)');
  return FIRST_PASSED;
}

/** Removes a socket that no program serves. */
async function removeStale(path: string): Promise<void> {
  const probe = connect({ path });
  const code = await new Promise<string | undefined>((resolve) => {
    probe.once('connect', () => resolve(undefined));
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
  });
  probe.destroy();
  if (code === 'ECONNREFUSED') rmSync(path, { force: true });
}

export function listenText(listen: Listen, secure = false): string {
  if (listen.kind === 'systemd') return 'the socket of the service manager';
  if (listen.kind === 'unix') return `unix:${listen.path}`;
  return `http${secure ? 's' : ''}://${listen.host.includes(':') ? `[${listen.host}]` : listen.host}:${listen.port}`;
}
