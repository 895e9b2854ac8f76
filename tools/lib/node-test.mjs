// SPDX-License-Identifier: MIT
// Command line for node:test over a set of files, on the host and in the lab alike.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { top } from './say.mjs';

/** @import { Counts } from './count-reporter.mjs' */

/**
 * Returns the command and its arguments that run `files`, `concurrency` at a time, and write the counts to a file.
 * @param {string[]} files
 * @param {string} counts
 * @param {string[]} loader node options needed to load the files
 * @param {number} [concurrency]
 * @returns {[string, string[]]}
 */
export function nodeTest(files, counts, loader, concurrency = 1) {
  const reporters = [
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    `--test-reporter=${join(top, 'tools/lib/count-reporter.mjs')}`,
    `--test-reporter-destination=${counts}`,
  ];
  return [process.execPath, [...loader, '--test', `--test-concurrency=${concurrency}`, ...reporters, ...files]];
}

/**
 * Reads the count reporter's result; undefined if the run ended before it was written.
 * @param {string} path
 * @returns {Counts | undefined}
 */
export function readCounts(path) {
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
