// SPDX-License-Identifier: MIT
// How a set of TypeScript test files is run by node:test, on the host and in the lab alike.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { top } from './say.mjs';

/**
 * The command line that runs `files` one after the other and leaves the counts in the file `counts`. `loader` are the
 * options that make node understand the files.
 */
export function nodeTest(files, counts, loader = ['--import', 'tsx']) {
  const reporters = [
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    `--test-reporter=${join(top, 'tools/lib/count-reporter.mjs')}`,
    `--test-reporter-destination=${counts}`,
  ];
  return [process.execPath, [...loader, '--test', '--test-concurrency=1', ...reporters, ...files]];
}

/** What the count reporter wrote, or undefined when the run ended before it could. */
export function readCounts(path) {
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
