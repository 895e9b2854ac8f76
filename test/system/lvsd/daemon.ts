// SPDX-License-Identifier: MIT
// An lvsd in a namespace of the lab: its configuration file, its process and its output.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Namespace, type Result, type Running, until } from '../../../lab/topology.ts';
import { ControlClient } from '../../../src/control/client.ts';
import { type DaemonEvent, isGap } from '../../../src/control/events/types.ts';
import type { DaemonStatus, RealServerStatus } from '../../../src/control/messages.ts';

/** The content of a configuration file. JSON is valid YAML. */
export type Conf = Record<string, unknown>;

/** An emulated CPU takes seconds to start Node. */
const START = 120_000;

export class Lvsd {
  readonly dir: string;
  readonly file: string;
  readonly socket: string;
  readonly state: string;
  readonly #where: Namespace;
  #running: Running | undefined;
  /** The output of earlier runs. */
  #earlier = '';

  constructor(where: Namespace, name = 'lvsd') {
    this.#where = where;
    this.dir = `/run/lvsd-${name}`;
    mkdirSync(this.dir, { recursive: true });
    this.file = join(this.dir, 'lvsd.yaml');
    this.socket = join(this.dir, 'control.sock');
    this.state = join(this.dir, 'state.json');
  }

  /** The options of `run`, `plan` and `apply`. */
  get paths(): string[] {
    return ['-f', this.file, '--socket', this.socket, '--state', this.state];
  }

  write(conf: Conf | string): void {
    writeFileSync(this.file, typeof conf === 'string' ? conf : `${JSON.stringify(conf, null, 1)}\n`);
  }

  get pid(): number {
    return this.#running?.child.pid ?? 0;
  }

  get running(): boolean {
    const child = this.#running?.child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** All output on stderr since the first start. */
  get log(): string {
    return this.#earlier + (this.#running?.stderr() ?? '');
  }

  /** Writes the configuration, if given, and starts lvsd. Resolves when lvsd reports that it is ready. */
  async start(conf?: Conf, ...options: string[]): Promise<void> {
    if (conf) this.write(conf);
    this.#earlier = this.log;
    const running = this.#where.spawn(['lvsd', 'run', ...this.paths, ...options]);
    this.#running = running;
    await until(
      'lvsd to be ready',
      () => {
        if (!this.running) throw new Error(`lvsd ended: ${running.stderr()}`);
        return running.stderr().includes('ready: ');
      },
      START,
    );
  }

  /** Waits for a message on stderr, which may follow its cause late. `since`: an earlier `log.length`. */
  async logs(message: RegExp, since = 0): Promise<void> {
    await until(`${message}`, () => message.test(this.log.slice(since)), 20_000).catch((error: Error) => {
      throw new Error(`${error.message}:\n${this.log.slice(since)}`);
    });
  }

  async stop(signal?: NodeJS.Signals): Promise<void> {
    await this.#running?.stop(signal);
  }

  /** Kills only the daemon, with SIGKILL. */
  kill(): Promise<void> {
    return this.stop('SIGKILL');
  }

  /** A connection for each call: lvsd closes one that is idle for a minute, which is little on an emulated CPU. */
  readonly client: Pick<ControlClient, 'call'> = {
    call: async (...request) => {
      const client = await ControlClient.open(this.socket);
      try {
        return await client.call(...request);
      } finally {
        client.close();
      }
    },
  };

  /** Throws if the daemon rejects the file; `failed` has the operations that the kernel refused. */
  async reload(conf?: Conf | string): Promise<{ operations: number; failed: string[] }> {
    if (conf !== undefined) this.write(conf);
    return this.client.call('reload', {});
  }

  /** The lines of the plan, such as '+ tcp ...'. */
  async plan(): Promise<string[]> {
    return (await this.client.call('plan', {})).lines.map(({ sign, text }) => `${sign} ${text}`);
  }

  status(): Promise<DaemonStatus> {
    return this.client.call('status', {});
  }

  /** A real server's status by its name, or address:port. */
  async server(service: string, name: string): Promise<RealServerStatus> {
    const { services } = await this.client.call('status', { service });
    const found = services
      .flatMap(({ realServers }) => realServers)
      .find((one) => one.name === name || `${one.address}:${one.port}` === name);
    if (!found) throw new Error(`no ${name} in ${service}`);
    return found;
  }

  async events(): Promise<DaemonEvent[]> {
    const found: DaemonEvent[] = [];
    const client = await ControlClient.open(this.socket);
    try {
      for await (const item of client.events({})) if (!isGap(item)) found.push(item);
    } finally {
      client.close();
    }
    return found;
  }

  /** Runs one of lvsd's programs to its end, with any exit status. */
  run(program: 'lvsd' | 'lvsctl', ...words: string[]): Promise<Result> {
    return this.#where.exec([program, ...words], { accept: 'any', timeout: 120_000 });
  }

  ctl(...words: string[]): Promise<Result> {
    return this.run('lvsctl', '--socket', this.socket, ...words);
  }
}

/** Like until(), for an asynchronous condition. */
export async function eventually<T>(
  what: string,
  test: () => Promise<T | undefined | false>,
  timeout = 30_000,
): Promise<T> {
  const end = Date.now() + timeout;
  for (;;) {
    const value = await test();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > end) throw new Error(`not within ${timeout} ms: ${what}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}
