// SPDX-License-Identifier: MIT
// Runs child processes for the tools: one whose output goes to the terminal, one whose output is returned.
import { spawn, spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import { ErrorReport, top } from './say.mjs';

/** @import { SpawnOptions, SpawnSyncOptions } from 'node:child_process' */
/** @import { Readable, Writable } from 'node:stream' */

/**
 * Runs a program on the terminal; resolves with its exit code (128+n for a signal). With `prefix` each line of its
 * output begins with that, for programs that run side by side.
 * @param {string} command
 * @param {string[]} args
 * @param {SpawnOptions & { prefix?: string }} [options]
 * @returns {Promise<number>}
 */
export function runLive(command, args, { prefix = '', ...options } = {}) {
  return new Promise((done, fail) => {
    const output = prefix ? 'pipe' : 'inherit';
    const child = spawn(command, args, { cwd: top, stdio: ['ignore', output, output], ...options });
    if (child.stdout) prefixLines(child.stdout, process.stdout, prefix);
    if (child.stderr) prefixLines(child.stderr, process.stderr, prefix);
    // SIGTERM is passed on to the child, which may have a VM to end. The terminal sends Ctrl-C to both.
    const forward = () => child.kill('SIGTERM');
    const wait = () => {};
    process.on('SIGTERM', forward).on('SIGINT', wait);
    child.on('exit', () => process.off('SIGTERM', forward).off('SIGINT', wait));
    child.on('error', (error) => fail(new ErrorReport(`cannot run ${command}: ${error.message}`)));
    child.on('close', (code, signal) => done(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
}

/**
 * @param {Readable} from
 * @param {Writable} to
 * @param {string} prefix
 */
function prefixLines(from, to, prefix) {
  createInterface({ input: from }).on('line', (line) => to.write(`${prefix}${line}\n`));
}

/**
 * Runs a program and returns its stdout as text; throws with its stderr if it fails.
 * @param {string} command
 * @param {string[]} args
 * @param {SpawnSyncOptions} [options]
 * @returns {string}
 */
export function runQuiet(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: top, maxBuffer: 64 << 20, ...options, encoding: 'utf8' });
  if (result.error) throw new ErrorReport(`cannot run ${command}: ${result.error.message}`);
  if (result.status !== 0) {
    const output = `${result.stderr ?? ''}${result.stdout ?? ''}`.trim();
    throw new ErrorReport(`${command} ${args.join(' ')} failed (${result.status ?? result.signal}): ${output}`);
  }
  return result.stdout;
}
