// SPDX-License-Identifier: MIT
/** Runs a program in its own process group and kills what remains of the group at its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { needsShell } from '../../base/executable.ts';
import { NOT_REGULAR } from '../../base/regular-file.ts';
import { trustPath } from '../../base/trusted-path.ts';
import type { User } from '../../base/users.ts';
import { errorWords } from '../common/errors.ts';
import { failure, inconclusive, success, type Verdict } from '../verdict.ts';
import type { Run } from './messages.ts';
import { Output } from './output.ts';
import { signalGroup } from './process-group.ts';

/** Milliseconds to wait for output after the program has ended, as its children may hold the pipes open. */
const LINGER = 200;

const ANY_EXECUTE = 0o111;
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface RunOptions extends Omit<Run, 'user'> {
  user: User | undefined;
  done: (verdict: Verdict) => void;
}

export class Program {
  readonly #done: (verdict: Verdict) => void;
  readonly #child: ChildProcess | undefined;
  readonly #killDelay: number;
  #kill: NodeJS.Timeout | undefined;
  #verdict: Verdict | undefined;
  #over = false;

  constructor({ command, user, environment, killDelay, done }: RunOptions) {
    this.#done = done;
    this.#killDelay = killDelay;
    const [path = '', ...rest] = command;
    try {
      this.#child = spawn(trustedProgram(path, user), rest, {
        argv0: path,
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
      this.#verdict ??= failure('too_long', 'the program wrote more than 1 MiB of output');
      this.#signal('SIGKILL');
    };
    const stdout = new Output(child.stdout, tooMuch);
    const stderr = new Output(child.stderr, tooMuch);
    child.on('error', (error) => this.#fails(error));
    child.on('exit', (code, signal) => {
      // Kill its remaining children now, while the id of the group cannot have been reused.
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

  /** Process id, and that of its group; undefined if it could not be started. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Sends SIGTERM to the group, then SIGKILL. */
  stop(): void {
    if (this.#over || this.#kill) return;
    this.#signal('SIGTERM');
    this.#kill = setTimeout(() => this.#signal('SIGKILL'), this.#killDelay);
  }

  /** Kills the group immediately, for use before exiting. */
  kill(): void {
    if (!this.#over) this.#signal('SIGKILL');
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.pid !== undefined) signalGroup(this.pid, signal);
  }

  #fails(error: unknown): void {
    this.#finish(inconclusive(`the program cannot be started: ${wordsOf(error)}`));
  }

  #finish(verdict: Verdict): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#kill);
    this.#done(verdict);
  }
}

/**
 * Throws if the program cannot be trusted. Returns the real path that was checked, so that links cannot change later.
 */
function trustedProgram(path: string, user: User | undefined): string {
  const trust = trustPath(path, [process.geteuid?.() ?? 0, ...(user ? [user.uid] : [])]);
  if ('why' in trust) throw new Error(`${trust.part} ${trust.why}`);
  if (!trust.stat.isFile()) throw new Error(`${trust.path} ${NOT_REGULAR}`);
  if ((trust.stat.mode & ANY_EXECUTE) !== 0 && needsShell(trust.path))
    throw new Error(`${trust.path} has no #! line; lvsd does not run scripts through a shell`);
  return trust.path;
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error ? errorWords(String(error.code)) : error.message;
}

function exitVerdict(code: number | null, signal: NodeJS.Signals | null, line: string): Verdict {
  if (code === 0) return success('exit status 0');
  const how = signal ? `ended by ${signal}` : `exit status ${code}`;
  return failure(signal ? 'signal' : 'exit_status', line === '' ? how : `${how}: ${line}`);
}
