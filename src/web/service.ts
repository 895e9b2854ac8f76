// SPDX-License-Identifier: MIT
/**
 * The servers of `lvsd web`: one for each address of its settings, which it gets from the daemon and follows when the
 * configuration or a file of it changes.
 */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { errorLine } from '../base/error-line.ts';
import { EXIT, LvsdError } from '../base/errors.ts';
import { isLoopback, readListen } from '../base/listen-address.ts';
import { DEFAULT_WEB, type WebSettings } from '../base/web-settings.ts';
import { ControlClient } from '../control/client.ts';
import { readSecrets, type Secrets, secretsVersion } from './secrets.ts';
import { listening, listenText, webServer } from './server.ts';
import { Users } from './users.ts';

/** Milliseconds between two looks at the settings. */
const INTERVAL = 5000;

export interface ServiceOptions {
  /** The daemon's read-only socket. */
  socket: string;
  /** Of the command line, instead of the daemon's. */
  settings?: WebSettings | undefined;
  /** Names by which it may be asked, besides those of the settings. */
  hosts: readonly string[];
  /** A line for the log. */
  log: (text: string) => void;
}

export class WebService {
  readonly #options: ServiceOptions;
  #servers: Server[] = [];
  #users: Users | undefined;
  /** Settings and files in use. */
  #current = '';
  #problem: string | undefined;
  /** Looks at the settings one after the other. */
  #looking: Promise<void> = Promise.resolve();

  constructor(options: ServiceOptions) {
    this.#options = options;
  }

  /** Throws LvsdError if it cannot listen, or a file cannot be used. */
  async start(): Promise<void> {
    const settings = this.#options.settings ?? (await this.#ask()) ?? DEFAULT_WEB;
    await this.#apply(settings);
  }

  /** Follows the settings and files; problems are logged, and what is served stays. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#look());
    return this.#looking;
  }

  close(): void {
    for (const server of this.#servers) {
      server.closeAllConnections();
      server.close();
    }
    this.#servers = [];
  }

  async #look(): Promise<void> {
    // Without an answer of the daemon the last settings stay.
    const settings = this.#options.settings ?? (await this.#ask().catch(() => this.#settings)) ?? DEFAULT_WEB;
    try {
      await this.#apply(settings);
      this.#problem = undefined;
    } catch (error) {
      if (!(error instanceof LvsdError)) throw error;
      const problem = errorLine(error);
      if (problem !== this.#problem) this.#options.log(problem);
      this.#problem = problem;
    }
  }

  #settings: WebSettings | undefined;

  /** Undefined: the daemon does not answer, or its file has no such settings. */
  async #ask(): Promise<WebSettings | undefined> {
    let client: ControlClient | undefined;
    try {
      client = await ControlClient.open(this.#options.socket);
      return (await client.call('config.summary', {})).web ?? DEFAULT_WEB;
    } catch (error) {
      if (!(error instanceof LvsdError)) throw error;
      return this.#settings;
    } finally {
      client?.close();
    }
  }

  async #apply(settings: WebSettings): Promise<void> {
    const version = `${JSON.stringify(settings)} ${secretsVersion(settings)}`;
    if (version === this.#current) return;
    const secrets = readSecrets(settings);
    if (this.#servers.length > 0 && JSON.stringify(settings) === JSON.stringify(this.#settings)) this.#renew(secrets);
    else await this.#replace(settings, secrets);
    this.#settings = settings;
    this.#current = version;
  }

  /** The files have changed: connections stay. */
  #renew({ tls, users }: Secrets): void {
    for (const server of this.#servers)
      if (tls && 'setSecureContext' in server && typeof server.setSecureContext === 'function')
        server.setSecureContext(tls);
    if (users) this.#users?.replace(users);
    this.#options.log('read the changed files of TLS and users');
  }

  async #replace(settings: WebSettings, { tls, users }: Secrets): Promise<void> {
    this.close();
    this.#users = users && new Users(users);
    const secure = tls !== undefined && (users !== undefined || tls.requestCert);
    for (const text of settings.listen) {
      const listen = readListen(text);
      if (typeof listen === 'string') throw new LvsdError('ERR_LVSD_WEB', listen);
      const { socket, hosts, log } = this.#options;
      const server = webServer({
        ...{ listen, socket, log },
        hosts: [...hosts, ...settings.hosts],
        serve: settings.serve,
        ...(listen.kind === 'unix' ? {} : { tls, users: this.#users }),
      });
      await listening(server, listen);
      this.#servers.push(server);
      const address = server.address();
      const shown = listenText(listen, tls !== undefined);
      // The configuration was judged by its text; a socket that was passed may be any.
      if (!secure && !settings.insecure && isReachable(address)) {
        this.close();
        throw new LvsdError('ERR_LVSD_WEB', `${shown} can be reached from other machines: it needs tls and users`);
      }
      log(`listening on ${shown}`);
    }
  }
}

const isReachable = (address: string | AddressInfo | null): boolean =>
  typeof address === 'object' && address !== null && !isLoopback(address.address);

/** Runs until SIGTERM or SIGINT; returns the exit status. Throws LvsdError if it cannot listen. */
export async function serveWeb(options: ServiceOptions): Promise<number> {
  const service = new WebService(options);
  const ended = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  process.on('SIGHUP', () => void service.look());
  await service.start();
  const timer = setInterval(() => void service.look(), INTERVAL);
  await ended;
  clearInterval(timer);
  service.close();
  return EXIT.OK;
}
