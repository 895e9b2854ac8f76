// SPDX-License-Identifier: MIT
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LabError, say } from './errors.ts';

/** Path of the lock file: one for each user, or LVSD_LAB_LOCK; LVSD_LAB_PLACE names a further place beside it. */
function lockFile(): string {
  const file = process.env.LVSD_LAB_LOCK ?? join(tmpdir(), `lvsd-lab-${process.getuid?.() ?? 0}.lock`);
  const place = process.env.LVSD_LAB_PLACE;
  return place ? `${file}.${place}` : file;
}

/** Waits until no other lab holds this place, then holds it as holdLock() does. */
export function takeTurn(signal: AbortSignal): Promise<{ release: () => void } | undefined> {
  return holdLock(lockFile(), 'another lab is running; waiting for it to end', signal);
}

/**
 * Waits for the lock of a file, then holds it until `release()` or until this process dies: the lock is flock's, held by
 * a child that lives as long as the pipe to it. Resolves with undefined if `signal` fires first.
 */
export function holdLock(
  file: string,
  message: string,
  signal = new AbortController().signal,
): Promise<{ release: () => void } | undefined> {
  const child = spawn('flock', [file, 'sh', '-c', 'echo mine; exec cat >/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // Its own process group: Ctrl-C must not free the place before the VM is gone.
    detached: true,
  });
  child.unref();
  const notice = setTimeout(() => say(message), 1000);
  return new Promise((done, fail) => {
    signal.addEventListener('abort', () => {
      clearTimeout(notice);
      child.kill('SIGTERM');
      done(undefined);
    });
    child.on('error', (error) => fail(new LabError(`cannot run flock: ${error.message}`)));
    child.on('exit', (code) => fail(new LabError(`flock ended with ${code}`)));
    child.stdout.once('data', () => {
      clearTimeout(notice);
      // By a signal: the end of the pipe would wait for an event loop that may run a program synchronously next.
      done({ release: () => process.kill(-(child.pid as number), 'SIGTERM') });
    });
  });
}
