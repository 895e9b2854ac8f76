// SPDX-License-Identifier: MIT
// Set-up of the toa tests: this namespace is the client, another one the real server, and relay.c between them rewrites
// addresses and adds the option as the balancer does, or wrongly on purpose.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';

export const netns = 'toa-srv';
export const trustFile = '/sys/module/toa/parameters/trust';

/** How relay.c treats a connection: the last byte of the address that the client dials. */
export const mode = {
  good: 1,
  noToa: 2,
  badLength: 3,
  truncated: 4,
  portZero: 5,
  dataOnly: 6,
  last: 7,
  afterExperiment: 8,
  kind200: 9,
  untrusted: 10,
  forgedSecond: 11,
} as const;

/** One address and port as server.c prints them. */
export interface Answer {
  client: string;
  accept: string;
  getpeername: string;
}

export function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

export function inServer(command: string, ...args: string[]): string {
  return run('ip', 'netns', 'exec', netns, command, ...args);
}

/** The kernel log lines of toa after the first `since` lines (see `kernelLogMark`). */
export function kernelLog(since: number): string[] {
  return run('dmesg')
    .split('\n')
    .filter((line) => line !== '')
    .slice(since)
    .filter((line) => line.includes(' toa: '));
}

export function kernelLogMark(): number {
  return run('dmesg')
    .split('\n')
    .filter((line) => line !== '').length;
}

/** /proc/net/toa_stats of the server, each row summed over the CPUs. */
export function stats(): Record<string, number> {
  const rows: Record<string, number> = {};
  for (const line of inServer('cat', '/proc/net/toa_stats').split('\n').slice(1)) {
    const [name = '', values = ''] = line.split(':');
    if (name !== '')
      rows[name.trim()] = values
        .trim()
        .split(/\s+/)
        .map(Number)
        .reduce((a, b) => a + b, 0);
  }
  return rows;
}

/** By how much `action` increased each counter; unchanged counters are left out. */
export async function counted(action: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = stats();
  await action();
  const after = stats();
  return Object.fromEntries(
    Object.keys(after)
      .map((name): [string, number] => [name, (after[name] ?? 0) - (before[name] ?? 0)])
      .filter(([, difference]) => difference !== 0),
  );
}

/** A connection to the server that stays open, read line by line. */
export class Caller {
  readonly socket: Socket;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;

  constructor(how: number, port: number, localAddress: string) {
    this.socket = connect({ host: `10.8.0.${how}`, port, localAddress });
    this.#reader = createInterface({ input: this.socket });
    this.#lines = this.#reader[Symbol.asyncIterator]();
    // Without a listener an error would end the process; with this one, line() throws. readline does not end by itself.
    this.socket.on('error', () => {});
    this.socket.once('close', () => this.#reader.close());
    this.socket.on('timeout', () => this.socket.destroy());
  }

  /** The next line; throws if the connection ends first, or after 2 minutes without data. */
  async line(): Promise<string> {
    this.socket.setTimeout(120_000);
    const next = await this.#lines.next();
    this.socket.setTimeout(0);
    if (next.done) throw new Error('the connection ended without an answer');
    return next.value;
  }

  /** This end's address and port, once connected. */
  get local(): string {
    return `${this.socket.localAddress}:${this.socket.localPort}`;
  }

  async greeting(): Promise<Answer> {
    const [accept = '', getpeername = ''] = (await this.line()).split(' ');
    return { client: this.local, accept, getpeername };
  }

  async close(): Promise<void> {
    if (!this.socket.closed) {
      const closed = new Promise((resolve) => this.socket.once('close', resolve));
      this.socket.end();
      this.socket.resume();
      await closed;
    }
    this.#reader.close();
  }
}

/**
 * Connects, reads this client's address as the server sees it, and closes. `first` is sent at once (TCP_DEFER_ACCEPT).
 */
export async function ask(how: number, port: number, localAddress = '10.7.0.1', first = ''): Promise<Answer> {
  const caller = new Caller(how, port, localAddress);
  if (first !== '') caller.socket.write(first);
  try {
    return await caller.greeting();
  } finally {
    await caller.close();
  }
}

/** Polls until `ready` is true; throws after `seconds`. */
export async function until(ready: () => boolean, what: string, seconds = 60): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!ready()) {
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The namespaces, the relay and the servers; `stop` removes all of them. */
export class Rig {
  readonly #dir = mkdtempSync(join(tmpdir(), 'toa-'));
  readonly #children: ChildProcess[] = [];

  async start(): Promise<void> {
    for (const name of ['relay', 'server']) {
      const source = join(import.meta.dirname, `${name}.c`);
      run('cc', '-O1', '-Wall', '-Wextra', '-Werror', '-o', join(this.#dir, name), source);
    }
    run('modprobe', 'tun');
    run('ip', 'netns', 'add', netns);
    await this.#spawn([join(this.#dir, 'relay'), netns]);
    // The client has every address of 10.7/16.
    run('ip', 'link', 'set', 'cli0', 'up', 'mtu', '1400');
    run('ip', 'address', 'add', '10.7.0.1/32', 'dev', 'cli0');
    run('ip', 'route', 'add', 'local', '10.7.0.0/16', 'dev', 'lo');
    run('ip', 'route', 'add', '10.8.0.0/24', 'dev', 'cli0');
    run('ip', '-n', netns, 'link', 'set', 'lo', 'up');
    run('ip', '-n', netns, 'link', 'set', 'srv0', 'up');
    run('ip', '-n', netns, 'address', 'add', '10.9.0.10/16', 'dev', 'srv0');
  }

  /** Starts server.c in the server's namespace; its further output comes as lines to `onLine`. */
  async serve(port: number, flags: string[] = [], onLine: (line: string) => void = () => {}): Promise<void> {
    await this.#spawn(['ip', 'netns', 'exec', netns, join(this.#dir, 'server'), String(port), ...flags], onLine);
  }

  /** nginx in the server's namespace: answers and logs $remote_addr:$remote_port. */
  nginx(port: number): string {
    const log = join(this.#dir, 'access.log');
    const config = `daemon on; pid ${this.#dir}/nginx.pid; error_log ${this.#dir}/error.log; worker_processes 1;
      events { worker_connections 512; }
      http { log_format who '$remote_addr:$remote_port'; access_log ${log} who;
        client_body_temp_path ${this.#dir}/body; proxy_temp_path ${this.#dir}/proxy;
        fastcgi_temp_path ${this.#dir}/fastcgi; uwsgi_temp_path ${this.#dir}/uwsgi; scgi_temp_path ${this.#dir}/scgi;
        server { listen ${port}; location / { return 200 '$remote_addr:$remote_port'; } } }`;
    const line = `cat > ${this.#dir}/nginx.conf <<'END'\n${config}\nEND\nexec nginx -c ${this.#dir}/nginx.conf`;
    inServer('sh', '-c', `${line} -e ${this.#dir}/error.log`);
    return log;
  }

  async #spawn(command: string[], onLine: (line: string) => void = () => {}): Promise<void> {
    const [program = '', ...args] = command;
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#children.push(child);
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`${program} ended with ${code}`)));
      createInterface({ input: child.stdout }).on('line', (line) => (line === 'ready' ? resolve() : onLine(line)));
    });
  }

  async stop(): Promise<void> {
    try {
      process.kill(Number(readFileSync(join(this.#dir, 'nginx.pid'), 'utf8')));
    } catch {
      // no nginx was started
    }
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
    }
    run('ip', 'route', 'del', 'local', '10.7.0.0/16', 'dev', 'lo');
    run('ip', 'netns', 'del', netns);
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** Whether the module is loaded. */
export function loaded(): boolean {
  return /^toa /m.test(readFileSync('/proc/modules', 'utf8'));
}
