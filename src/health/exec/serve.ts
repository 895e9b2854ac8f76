// SPDX-License-Identifier: MIT
/** The exec helper as a process: starts programs for the checker. It is small, so that a fork of it is cheap. */
import { inconclusive, type Verdict } from '../verdict.ts';
import type { FromExec, ToExec } from './messages.ts';
import { Program } from './program.ts';
import { findUser } from './user.ts';

interface Run {
  /** undefined: about to begin. */
  program: Program | undefined;
  stopped: boolean;
}

export function serveExec(): void {
  const runs = new Map<number, Run>();

  const done = (number: number, verdict: Verdict): void => {
    runs.delete(number);
    if (process.connected) process.send?.({ number, verdict } satisfies FromExec, undefined, undefined, () => {});
  };

  async function begin({ number, command, user: name, environment }: Extract<ToExec, { type: 'run' }>): Promise<void> {
    const run: Run = { program: undefined, stopped: false };
    runs.set(number, run);
    const user = name === undefined ? undefined : await findUser(name);
    if (name !== undefined && !user) done(number, inconclusive(`there is no user ${name}`));
    else if (run.stopped) done(number, inconclusive('stopped before it began'));
    else run.program = new Program({ command, user, environment, done: (verdict) => done(number, verdict) });
  }

  process.on('message', (message: ToExec) => {
    if (message.type === 'run') {
      void begin(message);
      return;
    }
    const run = runs.get(message.number);
    if (!run) return;
    run.stopped = true;
    run.program?.stop();
  });
  process.on('disconnect', () => {
    for (const { program } of runs.values()) program?.kill();
    process.exit(0);
  });
  // Signals of a terminal or an init system are for the daemon; this ends with it.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
}
