// SPDX-License-Identifier: MIT
// Child processes for the tools: one that speaks to the terminal, one whose output is wanted.
import { spawn, spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { Complaint, top } from './say.mjs';

/** Runs a program with the terminal as its own; resolves with its exit code (128+n for a signal). */
export function runLive(command, args, options = {}) {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { cwd: top, stdio: ['ignore', 'inherit', 'inherit'], ...options });
    // Whoever ends us ends the child first: it may have a VM to put away. Ctrl-C reaches it by itself.
    const forward = () => child.kill('SIGTERM');
    const wait = () => {};
    process.on('SIGTERM', forward).on('SIGINT', wait);
    child.on('exit', () => process.off('SIGTERM', forward).off('SIGINT', wait));
    child.on('error', (error) => fail(new Complaint(`cannot run ${command}: ${error.message}`)));
    child.on('close', (code, signal) => done(code ?? 128 + (constants.signals[signal] ?? 0)));
  });
}

/** Runs a program and returns its stdout as text; a failure carries what it wrote to stderr. */
export function runQuiet(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: top, encoding: 'utf8', maxBuffer: 64 << 20, ...options });
  if (result.error) throw new Complaint(`cannot run ${command}: ${result.error.message}`);
  if (result.status !== 0) {
    const said = `${result.stderr ?? ''}${result.stdout ?? ''}`.trim();
    throw new Complaint(`${command} ${args.join(' ')} failed (${result.status ?? result.signal}): ${said}`);
  }
  return result.stdout;
}
