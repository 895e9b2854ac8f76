// SPDX-License-Identifier: MIT
// One network namespace of a topology, and the programs that run in it.
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';

/** A program's exit status and output. */
export interface Result {
  status: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  input?: string;
  /** Accepted exit statuses; by default only 0. `any` accepts all. */
  accept?: number[] | 'any';
  /** Milliseconds, then it is killed (status 124); by default 60 000. */
  timeout?: number;
  env?: Record<string, string>;
}

/** A program ended with a status that its caller does not accept. */
export class CommandError extends Error {
  readonly result: Result;

  constructor(where: string, argv: string[], result: Result) {
    const output = (result.stderr || result.stdout).trim();
    super(`${where}: ${argv.join(' ')} ended with ${result.status}: ${output}`);
    this.result = result;
  }
}

/** A program running in a namespace until it ends or the topology does. */
export interface Running {
  child: ChildProcess;
  /** Its output so far. */
  stdout: () => string;
  stderr: () => string;
  /** Ends it (SIGTERM, or `signal`) and waits until it is gone. */
  stop: (signal?: NodeJS.Signals) => Promise<void>;
  /** Resolves with its exit status (128 + n for a signal) once it has ended by itself. */
  ended: Promise<number>;
}

/** Settings of a device as ethtool names them: { gro: false, tso: false, tx: false }. */
export type Offloads = Partial<Record<'gro' | 'gso' | 'tso' | 'tx' | 'rx' | 'sg', boolean>>;

const words = (command: string | string[]) => (typeof command === 'string' ? ['sh', '-c', command] : command);

export class Namespace {
  readonly name: string;
  private readonly onSpawn: (running: Running) => void;

  /**
   * Namespaces are made by Topology.namespace(). `onSpawn` is called with each program that must end with the topology.
   */
  constructor(name: string, onSpawn: (running: Running) => void) {
    this.name = name;
    this.onSpawn = onSpawn;
  }

  /**
   * The words that run a program in this namespace. nsenter is twice as fast as `ip netns exec`, which remounts /sys.
   */
  inside(command: string | string[]): string[] {
    return ['nsenter', `--net=/run/netns/${this.name}`, '--', ...words(command)];
  }

  /** Runs a program (words, or one line for sh) to its end, blocking. Throws CommandError if it fails. */
  run(command: string | string[], options: RunOptions = {}): Result {
    const [file = '', ...args] = this.inside(command);
    const ended = spawnSync(file, args, {
      encoding: 'utf8',
      maxBuffer: 256 << 20,
      timeout: options.timeout ?? 60_000,
      killSignal: 'SIGKILL',
      env: { ...process.env, ...options.env },
      ...(options.input === undefined ? {} : { input: options.input }),
    });
    const status = ended.status ?? 124;
    return this.judge(command, { status, stdout: ended.stdout ?? '', stderr: ended.stderr ?? '' }, options);
  }

  /** As run(), without blocking. */
  exec(command: string | string[], options: RunOptions = {}): Promise<Result> {
    const [file = '', ...args] = this.inside(command);
    return new Promise((done, fail) => {
      const settings = {
        maxBuffer: 256 << 20,
        timeout: options.timeout ?? 60_000,
        killSignal: 'SIGKILL' as const,
        env: { ...process.env, ...options.env },
      };
      const child = execFile(file, args, settings, (error, stdout, stderr) => {
        const status = error === null ? 0 : typeof error.code === 'number' ? error.code : 124;
        try {
          done(this.judge(command, { status, stdout, stderr }, options));
        } catch (problem) {
          fail(problem);
        }
      });
      child.stdin?.end(options.input ?? '');
    });
  }

  private judge(command: string | string[], result: Result, options: RunOptions): Result {
    const accept = options.accept ?? [0];
    if (accept !== 'any' && !accept.includes(result.status)) throw new CommandError(this.name, words(command), result);
    return result;
  }

  /** Starts a program that runs until it ends or the topology does. */
  spawn(command: string | string[], options: { env?: Record<string, string>; log?: string } = {}): Running {
    const [file = '', ...args] = this.inside(command);
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...options.env } });
    const received = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        received[name] += text;
        if (options.log !== undefined) appendFileSync(options.log, text);
      });
    }
    const ended = once(child, 'close').then(() => child.exitCode ?? 128 + 15);
    const running: Running = {
      child,
      stdout: () => received.stdout,
      stderr: () => received.stderr,
      ended,
      stop: async (signal = 'SIGTERM') => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        child.kill(signal);
        const hard = setTimeout(() => child.kill('SIGKILL'), 5000);
        await ended;
        clearTimeout(hard);
      },
    };
    this.onSpawn(running);
    return running;
  }

  /** Runs commands of ip(8), one per argument, in one process: `addr add 10.0.0.1/24 dev eth0`. */
  ip(...lines: string[]): void {
    const argv = ['ip', '-n', this.name, '-batch', '-'];
    const ended = spawnSync(argv[0] ?? '', argv.slice(1), { encoding: 'utf8', input: `${lines.join('\n')}\n` });
    const result = { status: ended.status ?? 1, stdout: ended.stdout, stderr: `${ended.stderr}(${lines.join('; ')})` };
    if (result.status !== 0) throw new CommandError(this.name, argv, result);
  }

  /** Sets sysctls by their dotted names; those below net. are this namespace's own. */
  sysctl(settings: Record<string, string | number>): void {
    const lines = Object.entries(settings).map(([name, value]) => {
      return `echo '${value}' > /proc/sys/${name.replaceAll('.', '/')} || exit 1`;
    });
    this.run(lines.join('\n'));
  }

  readSysctl(name: string): string {
    return this.run(['cat', `/proc/sys/${name.replaceAll('.', '/')}`]).stdout.trim();
  }

  /** Impairs packets that leave a device, as tc-netem(8): `delay 10ms loss 1% reorder 25%`; undefined ends that. */
  netem(device: string, words: string | undefined): void {
    if (words === undefined) this.run(['tc', 'qdisc', 'del', 'dev', device, 'root']);
    else this.run(`tc qdisc replace dev ${device} root netem ${words}`);
  }

  offloads(device: string, settings: Offloads): void {
    const args = Object.entries(settings).flatMap(([name, on]) => [name, on ? 'on' : 'off']);
    this.run(['ethtool', '-K', device, ...args]);
  }

  mtu(device: string, bytes: number): void {
    this.ip(`link set ${device} mtu ${bytes}`);
  }
}
