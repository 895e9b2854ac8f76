// SPDX-License-Identifier: MIT
// Finds test files, and groups the system tests by the VM that they ask for.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { top } from './say.mjs';

/** Whether a path contains a word, where a dash in the word also stands for a slash: `lvsd-health`, `lvsd/health`. */
const matches = (path, word) => path.includes(word) || path.replaceAll('/', '-').includes(word.replaceAll('/', '-'));

/** Test files under `dir` (relative to the checkout) whose path contains one of `words`; all when there are no words. */
export function testFiles(dir, words = []) {
  if (!existsSync(join(top, dir))) return [];
  return readdirSync(join(top, dir), { recursive: true })
    .map((name) => join(dir, String(name)))
    .filter((name) => name.endsWith('.test.ts'))
    .filter((name) => words.length === 0 || words.some((word) => matches(name, word)))
    .sort();
}

/** The lab options a system test asks for by a comment line `// lab: --stock --smp 1`; the defaults without one. */
function labOptions(file) {
  const line = /^\/\/ lab:(.*)$/m.exec(readFileSync(join(top, file), 'utf8'));
  return (line?.[1] ?? '').trim().split(/\s+/).filter(Boolean);
}

/** Files that may share a VM, by the exact options that they ask for. */
export function labGroups(files) {
  const groups = new Map();
  for (const file of files) {
    const options = labOptions(file);
    const key = options.join(' ');
    const group = groups.get(key) ?? { options, files: [] };
    group.files.push(file);
    groups.set(key, group);
  }
  return [...groups.values()];
}
