// SPDX-License-Identifier: MIT
// Runs one part of the tests (lint, files on this machine, files in one VM) and returns its counts.
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { guestBundle, sourceOfBundle } from './guest-bundle.mjs';
import { nodeTest, readCounts } from './node-test.mjs';
import { runLive } from './run.mjs';
import { say, top } from './say.mjs';

/** @import { Counts } from './count-reporter.mjs' */
/** @import { Group } from './test-files.mjs' */
/** @import { Lane } from './lanes.mjs' */
/** @typedef {Counts & { figures?: Record<string, unknown> }} Outcome */

/** How many test files run at a time on this machine. */
const HOST_FILES = Math.min(2, availableParallelism());

/** @returns {Counts} */
const nothing = () => ({ passed: 0, failed: 0, skipped: 0, failures: [], files: [] });

/**
 * A crash of the test runner itself counts as one failed test, so that it cannot pass unnoticed.
 * @param {string} title
 * @param {number} code
 * @param {Counts | undefined} counts
 * @returns {Counts}
 */
function outcome(title, code, counts) {
  const crash = (/** @type {string} */ name) => ({ failed: 1, failures: [{ file: '', name: `${title}: ${name}` }] });
  if (counts === undefined) return { ...nothing(), ...crash(`no result (exit ${code})`) };
  if (code !== 0 && counts.failed === 0) return { ...counts, ...crash(`exit ${code} although every test passed`) };
  return counts;
}

/** @returns {Promise<Outcome>} */
export async function lint() {
  /** @type {[string, string[]][]} */
  const tools = [
    ['biome', ['ci', '--colors=off', '--error-on-warnings', '.']],
    ['tsc', ['-p', 'tsconfig.json']],
    ['tsc', ['-p', 'src/web/client']],
  ];
  const counts = nothing();
  for (const [tool, args] of tools) {
    say(`lint: ${tool}`);
    if ((await runLive(join(top, 'node_modules', '.bin', tool), args)) === 0) counts.passed += 1;
    else {
      counts.failed += 1;
      counts.failures.push({ file: '', name: `lint: ${tool}` });
    }
  }
  return counts;
}

/**
 * Runs test files on this machine, two at a time where it has two processors; `alone` runs one at a time.
 * @param {string} title
 * @param {string[]} files
 * @param {Partial<Lane> & { alone?: boolean }} [how]
 * @returns {Promise<Outcome>}
 */
export async function onHost(title, files, { env = {}, prefix = '', alone = false } = {}) {
  say(`${prefix}${title}: ${files.length} files`);
  const dir = mkdtempSync(join(tmpdir(), 'lvsd-test-'));
  try {
    const [command, args] = nodeTest(files, join(dir, 'counts.json'), ['--import', 'tsx'], alone ? 1 : HOST_FILES);
    const code = await runLive(command, args, { env: { ...process.env, ...env }, prefix });
    return named(outcome(title, code, readCounts(join(dir, 'counts.json'))));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/**
 * Runs bundled test files in one VM.
 * @param {Group} group
 * @param {Partial<Lane>} [lane]
 * @returns {Promise<Outcome>}
 */
export async function inLab({ options, files }, { env = {}, prefix = '' } = {}) {
  say(`${prefix}system tests in one VM (${options.join(' ') || 'default options'}): ${files.length} files`);
  const dir = mkdtempSync(join(tmpdir(), 'lvsd-test-'));
  try {
    const [command, args] = nodeTest(files.map(guestBundle), '$LAB_OUT/counts.json', ['--enable-source-maps']);
    const line = [command, ...args].map((word) => `"${word}"`).join(' ');
    const lab = [
      join(top, 'tools', 'lab.mjs'),
      '--timeout',
      env.LVSD_COUNTS === 'full' ? '7200' : '3300',
      ...options,
      '--',
      'sh',
      '-c',
      `exec ${line}`,
    ];
    const code = await runLive(process.execPath, lab, { env: { ...process.env, ...env, LAB_OUT: dir }, prefix });
    const counts = outcome(`lab ${options.join(' ')}`, code, readCounts(join(dir, 'counts.json')));
    // Records that a full run made belong into the checkout, each at its own path.
    if (existsSync(join(dir, 'records'))) cpSync(join(dir, 'records'), top, { recursive: true });
    return { ...named(counts), figures: readFigures(join(dir, 'results')) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/**
 * Names the files of the counts by their source, relative to the checkout.
 * @param {Counts} counts
 */
function named(counts) {
  const name = (/** @type {string} */ file) => (file === '' ? '' : relative(top, sourceOfBundle(join(file))));
  const rename = (/** @type {any} */ entry) => ({ ...entry, file: name(entry.file) });
  return { ...counts, failures: counts.failures.map(rename), files: counts.files.map(rename) };
}

/**
 * Reads what tests recorded: the content of each results/NAME.json, by name.
 * @param {string} dir
 * @returns {Record<string, unknown>}
 */
function readFigures(dir) {
  if (!existsSync(dir)) return {};
  const files = readdirSync(dir).filter((name) => name.endsWith('.json'));
  return Object.fromEntries(
    files.map((name) => [basename(name, '.json'), JSON.parse(readFileSync(join(dir, name), 'utf8'))]),
  );
}
