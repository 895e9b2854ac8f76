// SPDX-License-Identifier: MIT
/**
 * The servers of `lvsd web`: one for each address of its settings, which it gets from the daemon and follows when the
 * configuration or a file of it changes.
 */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { errorLine } from '../base/error-line.ts';
import { EXIT, LvsdError, MalformedError } from '../base/errors.ts';
import { isLoopback, readListen } from '../base/listen-address.ts';
import { DEFAULT_WEB, type WebSettings } from '../base/web-settings.ts';
import { ControlClient } from '../control/client.ts';
import { readSecrets, type Secrets, secretsVersion } from './secrets.ts';
import { listening, listenText, webServer } from './server.ts';
import { Users } from './users.ts';

/** Milliseconds between two looks at the settings. */
const INTERVAL = 5000;
/** Milliseconds that the daemon has to answer with its settings: requests may wait for them. */
const ANSWER = 2500;

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
  /** By the text of their address. `key`: what cannot change without another server. */
  readonly #servers = new Map<string, { key: string; server: Server }>();
  #users: Users | undefined;
  /** Settings and files in use. */
  #current = '';
  #files = '';
  /** The settings are those of the daemon's file, or of the command line. */
  #known: boolean;
  #problem: string | undefined;
  /** The look in progress. */
  #looking: Promise<void> | undefined;

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.#known = options.settings !== undefined;
  }

  /** Throws LvsdError if it cannot listen, or a file cannot be used. */
  async start(): Promise<void> {
    try {
      const { settings, problem } = await this.#ask();
      if (problem !== undefined) this.#report(problem);
      await this.#apply(settings);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Follows the settings and files; problems are logged, and what is served stays. All who call it meanwhile share a look. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  close(): void {
    for (const { server } of this.#servers.values()) shut(server);
    this.#servers.clear();
  }

  async #look(): Promise<void> {
    try {
      const { settings, problem } = await this.#ask();
      await this.#apply(settings);
      this.#report(problem);
    } catch (error) {
      this.#report(errorLine(error));
    }
  }

  /** Logs a problem that is not that of the last look. */
  #report(problem: string | undefined): void {
    if (problem !== undefined && problem !== this.#problem) this.#options.log(problem);
    this.#problem = problem;
  }

  #settings: WebSettings | undefined;

  /** The last settings while the daemon does not answer, or not as expected: that is a problem. Never rejects. */
  async #ask(): Promise<{ settings: WebSettings; problem?: string }> {
    if (this.#options.settings) return { settings: this.#options.settings };
    let client: ControlClient | undefined;
    try {
      client = await ControlClient.open(this.#options.socket);
      const { web = DEFAULT_WEB } = await client.call('config.summary', {}, ANSWER);
      this.#known = true;
      return { settings: web };
    } catch (error) {
      const settings = this.#settings ?? DEFAULT_WEB;
      // A daemon that is away is not a problem of its settings.
      const away = error instanceof LvsdError && !(error instanceof MalformedError);
      return away ? { settings } : { settings, problem: errorLine(error) };
    } finally {
      client?.close();
    }
  }

  /**
   * Servers whose settings are the same stay, with their connections. If an address cannot be used, those that are in use
   * stay too, and the next look tries again. Throws LvsdError.
   */
  async #apply(settings: WebSettings): Promise<void> {
    const files = secretsVersion(settings);
    const version = `${JSON.stringify(settings)} ${files}`;
    if (version === this.#current) return;
    const secrets = readSecrets(settings);
    const changed = files !== this.#files;
    this.#files = files;
    if (secrets.users) {
      this.#users ??= new Users(secrets.users);
      this.#users.replace(secrets.users);
    }
    const problems: LvsdError[] = [];
    let renewed = false;
    for (const text of settings.listen)
      try {
        const kept = await this.#serve(text, settings, secrets);
        renewed ||= kept !== undefined && changed;
        // Those who may ask now may be others: event streams begin again.
        if (changed && (secrets.users || secrets.tls?.requestCert)) kept?.closeAllConnections();
      } catch (error) {
        if (!(error instanceof LvsdError)) throw error;
        problems.push(error);
      }
    if (renewed) this.#options.log('read the changed files of TLS and users');
    this.#settings = settings;
    const [first] = problems;
    if (first !== undefined) throw first;
    for (const [text, { server }] of this.#servers)
      if (!settings.listen.includes(text)) {
        shut(server);
        this.#servers.delete(text);
      }
    this.#current = version;
  }

  /** Serves an address with these settings. Returns the server that has served it already and stays. Throws LvsdError. */
  async #serve(text: string, settings: WebSettings, secrets: Secrets): Promise<Server | undefined> {
    const { hosts, serve, insecure } = settings;
    const kinds = [secrets.tls !== undefined, secrets.tls?.requestCert, secrets.users !== undefined];
    const key = JSON.stringify([hosts, serve, insecure, ...kinds]);
    const old = this.#servers.get(text);
    if (old?.key === key) {
      if (secrets.tls && 'setSecureContext' in old.server && typeof old.server.setSecureContext === 'function')
        old.server.setSecureContext(secrets.tls);
      return old.server;
    }
    if (old !== undefined) {
      if (text === 'systemd')
        throw new LvsdError(
          'ERR_LVSD_WEB',
          'the settings of the socket that systemd opened have changed; the old ones are in use until lvsd-web is restarted',
        );
      shut(old.server);
      this.#servers.delete(text);
    }
    this.#servers.set(text, { key, server: await this.#open(text, settings, secrets) });
    return undefined;
  }

  async #open(text: string, settings: WebSettings, { tls, users }: Secrets): Promise<Server> {
    const secure = tls !== undefined && (users !== undefined || tls.requestCert);
    const listen = readListen(text);
    if (typeof listen === 'string') throw new LvsdError('ERR_LVSD_WEB', listen);
    const { socket, hosts, log } = this.#options;
    const server = webServer({
      ...{ listen, socket, log },
      hosts: [...hosts, ...settings.hosts],
      serve: settings.serve,
      // While the daemon has not answered, its file may demand users: ask it before each answer.
      before: () => (this.#known ? undefined : this.look()),
      ...(listen.kind === 'unix' ? {} : { tls, users: users && this.#users }),
    });
    await listening(server, listen);
    const address = server.address();
    const shown = listenText(listen, tls !== undefined);
    // The configuration was judged by its text; a socket that was passed may be any.
    if (!secure && !settings.insecure && isReachable(address)) {
      shut(server);
      throw new LvsdError('ERR_LVSD_WEB', `${shown} can be reached from other machines: it needs tls and users`);
    }
    log(`listening on ${shown}`);
    return server;
  }
}

function shut(server: Server): void {
  server.closeAllConnections();
  server.close();
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
