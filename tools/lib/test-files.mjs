// SPDX-License-Identifier: MIT
// Finds test files, and groups the system tests by the VM that they need.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { top } from './say.mjs';

/** @typedef {{ options: string[], files: string[] }} Group */

/**
 * True if a path contains a word. A dash in the word also matches a slash: both lvsd-health and lvsd/health do.
 * @param {string} path
 * @param {string} word
 */
const matches = (path, word) => path.includes(word) || path.replaceAll('/', '-').includes(word.replaceAll('/', '-'));

/**
 * Returns the test files under `dir` (relative to the checkout) whose path matches one of `words`; all without words.
 * @param {string} dir
 * @param {string[]} [words]
 */
export function testFiles(dir, words = []) {
  if (!existsSync(join(top, dir))) return [];
  return readdirSync(join(top, dir), { recursive: true })
    .map((name) => join(dir, String(name)))
    .filter((name) => name.endsWith('.test.ts'))
    .filter((name) => words.length === 0 || words.some((word) => matches(name, word)))
    .sort();
}

/** Folders whose tests are about the kernel modules: full runs run them on every kernel line. */
const KERNEL_FOLDERS = ['fullnat', 'fuzz', 'kernel', 'synproxy', 'toa'].map((name) => `test/system/${name}`);

/**
 * What else areas of a full run stand for: `kernel` covers every test of the kernel modules, `synproxy` the fuzzer of
 * segments, which has services with SYN proxy.
 * @type {Readonly<Record<string, string[]>>}
 */
const AREAS = { kernel: KERNEL_FOLDERS, synproxy: ['test/system/fuzz/segments.test'] };

/**
 * Returns the words that select the system tests of areas.
 * @param {string[]} words
 */
export const areaWords = (words) => [...words, ...words.flatMap((word) => AREAS[word] ?? [])];

/** Segments of the fuzzer in a full run of `synproxy`, on each kernel line; other full runs have ten times as many. */
const SYNPROXY_SEGMENTS = '500000';

/**
 * Returns the environment of a full run of areas.
 * @param {string[]} words
 * @returns {Record<string, string>}
 */
export const areaEnv = (words) =>
  words.length === 1 && words[0] === 'synproxy' ? { LVSD_FUZZ: process.env.LVSD_FUZZ ?? SYNPROXY_SEGMENTS } : {};

/**
 * Returns the lab options in a comment line of a system test, such as `// lab: --stock --smp 1`; none without the line.
 * @param {string} file
 * @param {'lab' | 'also' | 'full' | 'needs'} name
 */
function optionsLine(file, name) {
  const line = new RegExp(`^// ${name}:(.*)$`, 'm').exec(readFileSync(join(top, file), 'utf8'));
  return (line?.[1] ?? '').trim().split(/\s+/).filter(Boolean);
}

/**
 * Whether one of these system tests needs the packages and roots of lab/packages.ts.
 * @param {string[]} files
 */
export const needPackages = (files) => files.some((file) => optionsLine(file, 'needs').includes('packages'));

/**
 * Returns the option sets that a system test runs with: its own, and those of its comment line
 * `// also: --kernel 6.12`; none for a test with `// needs: full-run` in a quick run. In a full run all tests of the
 * kernel modules run on 6.12 too, and those with a line `// full: --uml` on the debug kernel.
 * @param {string} file
 * @param {boolean} full
 */
function variants(file, full) {
  if (!full && optionsLine(file, 'needs').includes('full-run')) return [];
  const own = optionsLine(file, 'lab');
  const line = optionsLine(file, 'also');
  const also = line.length === 0 && full && KERNEL_FOLDERS.includes(dirname(file)) ? ['--kernel', '6.12'] : line;
  const more = full ? optionsLine(file, 'full') : [];
  return [[], also, more].filter((extra, index) => index === 0 || extra.length > 0).map((extra) => [...own, ...extra]);
}

/**
 * Returns the kernel line of lab options: Debian 13's own kernel is of 6.12.
 * @param {string[]} options
 */
export const kernelLine = (options) => (options.includes('6.12') || options.includes('trixie') ? '6.12' : '6.1');

/** Folders with fewer files than this share a VM with others; more are worth a boot of their own. */
const OWN_VM = 4;

/**
 * Groups system tests by VM: one for each folder and set of lab options, small folders together. The largest come
 * first, so that two VMs at a time end at about the same moment.
 * @param {string[]} files
 * @param {boolean} [full]
 * @returns {Group[]}
 */
export function labGroups(files, full = false) {
  /** @type {Map<string, Group>} */
  const groups = new Map();
  const wanted = files.flatMap((file) =>
    variants(file, full).map((options) => ({ file, options, folder: dirname(file) })),
  );
  const key = (/** @type {string[]} */ ...words) => words.join(' ');
  for (const { file, options, folder } of wanted) {
    const siblings = wanted.filter((other) => other.folder === folder && key(...other.options) === key(...options));
    const name = key(siblings.length < OWN_VM ? '' : folder, ...options);
    const group = groups.get(name) ?? { options, files: [] };
    group.files.push(file);
    groups.set(name, group);
  }
  return [...groups.values()].sort((a, b) => b.files.length - a.files.length);
}
