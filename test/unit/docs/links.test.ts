// SPDX-License-Identifier: MIT
// Links and paths in Markdown: each names a file of the repository, and each #anchor a heading.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const top = fileURLToPath(new URL('../../..', import.meta.url));
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: top,
  encoding: 'utf8',
})
  .split('\n')
  .filter(Boolean);
const folders = new Set(files.flatMap((file) => parents(file)));
const known = new Set([...files, ...folders]);
const pages = files.filter((file) => file.endsWith('.md'));

function parents(file: string): string[] {
  const parent = dirname(file);
  return parent === '.' ? [] : [parent, ...parents(parent)];
}

/** Paths of the kernel's source tree that begin as ours do. */
const KERNEL = /^tools\/testing\//;
/** Inline code that is a path from the top: it begins with a folder of ours and has no blanks. */
const PATH = new RegExp(`^(${[...folders].filter((name) => !name.includes('/')).join('|')})/[\\w./*{},-]*$`);

/** GitHub's anchor for a heading. */
function anchor(heading: string): string {
  return heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .trim()
    .replaceAll(' ', '-');
}

function anchors(page: string): Set<string> {
  const text = readFileSync(join(top, page), 'utf8').replace(/^```.*?^```/gms, '');
  return new Set([...text.matchAll(/^#+ (.*)$/gm)].map((match) => anchor(match[1] ?? '')));
}

/** True if a path, which may have `*`, `**`, `{a,b}` and placeholders such as NAME, matches a file or folder. */
function exists(path: string): boolean {
  const plain = path.replace(/\/$/, '').replace(/\b[A-Z]{4,}\b(?!\.md)/g, '*');
  if (!/[*{]/.test(plain)) return known.has(plain);
  const source = plain
    .replace(/[.]/g, '\\.')
    .replaceAll('**/', '(?:.*/)?')
    .replace(/(?<![.)])\*/g, '[^/]*')
    .replace(/\{([^}]*)\}/g, (_, list: string) => `(?:${list.replaceAll(',', '|')})`);
  const pattern = new RegExp(`^${source}$`);
  return [...known].some((name) => pattern.test(name));
}

for (const page of pages) {
  test(`links and paths in ${page}`, () => {
    const text = readFileSync(join(top, page), 'utf8');
    const prose = text.replace(/^```.*?^```/gms, '').replace(/^ {4}.*$/gm, '');
    const broken: string[] = [];
    for (const [, target = ''] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path = '', fragment] = target.split('#');
      const file = path === '' ? page : normalize(join(dirname(page), path));
      if (!exists(file)) broken.push(target);
      else if (fragment !== undefined && file.endsWith('.md') && !anchors(file).has(fragment)) broken.push(target);
    }
    for (const [, code = ''] of prose.matchAll(/`([^`\n]+)`/g)) {
      if (PATH.test(code) && !KERNEL.test(code) && !exists(code)) broken.push(code);
    }
    assert.deepEqual(broken, []);
  });
}
