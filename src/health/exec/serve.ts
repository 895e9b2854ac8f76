// SPDX-License-Identifier: MIT
/** Main function of the exec helper: starts programs for its parent. A small process, so that a fork of it is cheap. */
import { native } from '../../base/native.ts';
import { findUser } from '../../base/users.ts';
import { inconclusive, type Verdict } from '../verdict.ts';
import type { FromExec, ToExec } from './messages.ts';
import { startTime } from './process-group.ts';
import { Program } from './program.ts';

interface Entry {
  /** Undefined: not started yet. */
  program: Program | undefined;
  stopped: boolean;
}

/** Serves runs over the IPC channel until it closes; then kills all programs and exits. */
export function serveExec(): void {
  // Node sets FD_CLOEXEC on what it opens, but not on all that lvsd inherited.
  native().closeOnExec();
  const entries = new Map<number, Entry>();

  const send = (message: FromExec): void => {
    if (process.connected) process.send?.(message, undefined, undefined, () => {});
  };
  const done = (number: number, verdict: Verdict): void => {
    entries.delete(number);
    send({ type: 'ended', number, verdict });
  };

  async function begin({ number, run }: Extract<ToExec, { type: 'run' }>): Promise<void> {
    const { user: name, ...options } = run;
    const entry: Entry = { program: undefined, stopped: false };
    entries.set(number, entry);
    const user = name === undefined ? undefined : await findUser(name);
    if (name !== undefined && !user) return done(number, inconclusive(`user ${name} does not exist`));
    if (entry.stopped) return done(number, inconclusive('stopped before it started'));
    entry.program = new Program({ ...options, user, done: (verdict) => done(number, verdict) });
    const { pid } = entry.program;
    if (pid !== undefined) send({ type: 'started', number, pid, startTime: startTime(pid) });
  }

  process.on('message', (message: ToExec) => {
    if (message.type === 'run') return void begin(message);
    if (message.type === 'ping') return send({ type: 'pong' });
    const { number, type } = message;
    const entry = entries.get(number);
    if (!entry) return;
    if (type === 'query') {
      if (entry.program) send({ type: 'running', number });
      return;
    }
    entry.stopped = true;
    entry.program?.stop();
  });
  process.on('disconnect', () => {
    for (const { program } of entries.values()) program?.kill();
    process.exit(0);
  });
  // Ignores signals of terminals and init systems, which are for the daemon; this process ends with it.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => {});
}
