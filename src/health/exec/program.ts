// SPDX-License-Identifier: MIT
/** One run of a program, in a process group of its own, of which nothing stays. */
import { type ChildProcess, spawn } from 'node:child_process';
import { errorWords } from '../common/errors.ts';
import { failure, inconclusive, success, type Verdict } from '../verdict.ts';
import { Output } from './output.ts';
import type { User } from './user.ts';

/** Milliseconds between SIGTERM and SIGKILL. */
const PATIENCE = 2000;
/** How long output may still come after the program has ended: something that it left behind may hold its pipes. */
const LINGER = 200;

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface RunOptions {
  command: readonly string[];
  user: User | undefined;
  environment: Readonly<Record<string, string>>;
  done: (verdict: Verdict) => void;
}

export class Program {
  readonly #done: (verdict: Verdict) => void;
  readonly #child: ChildProcess | undefined;
  #kill: NodeJS.Timeout | undefined;
  #verdict: Verdict | undefined;
  #over = false;

  constructor({ command, user, environment, done }: RunOptions) {
    this.#done = done;
    const [path = '', ...rest] = command;
    try {
      this.#child = spawn(path, rest, {
        detached: true,
        cwd: '/',
        env: { PATH, ...environment },
        stdio: ['ignore', 'pipe', 'pipe'],
        ...(user && { uid: user.uid, gid: user.gid }),
      });
    } catch (error) {
      setImmediate(() => this.#fails(error));
      return;
    }
    const child = this.#child;
    const tooMuch = (): void => {
      this.#verdict ??= failure('wrote more than 1 MiB');
      this.#signal('SIGKILL');
    };
    const stdout = new Output(child.stdout, tooMuch);
    const stderr = new Output(child.stderr, tooMuch);
    child.on('error', (error) => this.#fails(error));
    child.on('exit', (code, signal) => {
      // Right now the number cannot have become somebody else's. What the program left running goes with it.
      this.#signal('SIGKILL');
      const finish = (): void => {
        clearTimeout(timer);
        child.stdout?.destroy();
        child.stderr?.destroy();
        this.#finish(this.#verdict ?? exitVerdict(code, signal, stderr.lastLine || stdout.lastLine));
      };
      const timer = setTimeout(finish, LINGER);
      child.once('close', finish);
    });
  }

  /** SIGTERM to all of it, then SIGKILL. */
  stop(): void {
    if (this.#over || this.#kill) return;
    this.#signal('SIGTERM');
    this.#kill = setTimeout(() => this.#signal('SIGKILL'), PATIENCE);
  }

  /** At once, for who is about to end itself. */
  kill(): void {
    if (!this.#over) this.#signal('SIGKILL');
  }

  #signal(signal: NodeJS.Signals): void {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // Nobody is left in the group.
    }
  }

  #fails(error: unknown): void {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    this.#finish(inconclusive(`the program cannot be started: ${errorWords(code)}`));
  }

  #finish(verdict: Verdict): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#kill);
    this.#done(verdict);
  }
}

function exitVerdict(code: number | null, signal: NodeJS.Signals | null, line: string): Verdict {
  if (code === 0) return success('exit status 0');
  const how = signal ? `ended by ${signal}` : `exit status ${code}`;
  return failure(line === '' ? how : `${how}: ${line}`);
}
