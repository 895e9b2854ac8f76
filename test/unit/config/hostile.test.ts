// SPDX-License-Identifier: MIT
// Files and names that took a reader with backtracking minutes.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadConfig } from '../../../src/config/index.ts';

const dir = mkdtempSync(join(tmpdir(), 'lvsd-hostile-'));
after(() => rmSync(dir, { recursive: true, force: true }));
const file = join(dir, 'lvsd.yaml');

function including(pattern: string): string[] {
  writeFileSync(file, `version: 1\nservices: {}\ninclude: [${JSON.stringify(pattern)}]\n`);
  return loadConfig(file)
    .files.slice(1)
    .map((path) => path.slice(dir.length + 1))
    .sort();
}

const WITHIN = { timeout: 20_000 };

test('an included file of line ends and a comment', WITHIN, () => {
  writeFileSync(join(dir, 'blank.yaml'), `${'\n'.repeat(300_000)}#`);
  assert.throws(() => including('blank.yaml'), /nothing but comments/);
});

test('a pattern with many stars beside a long name', WITHIN, () => {
  writeFileSync(join(dir, 'a'.repeat(200)), '');
  assert.throws(() => including(`${'*a'.repeat(12)}b`), /which matches no file/);
});

test('a range of all ports many times', WITHIN, () => {
  const one = (index: number) =>
    `  s${index}: { address: 10.0.${index >> 8}.${index & 255}, port: 1-65535, real_servers: [] }`;
  writeFileSync(file, `version: 1\nservices:\n${Array.from({ length: 2000 }, (_, index) => one(index)).join('\n')}\n`);
  assert.throws(() => loadConfig(file), /found 65535 ports, each of them a service of the kernel; allowed: 2048/);
});

test('many ranges of ports in one file', WITHIN, () => {
  const one = (index: number) => `  s${index}: { address: 10.0.0.${index}, port: 1000-3047, real_servers: [] }`;
  const write = (count: number, servers = '[]') =>
    writeFileSync(
      file,
      `version: 1\nservices:\n${Array.from({ length: count }, (_, index) => one(index + 1).replace('[]', servers)).join('\n')}\n`,
    );
  write(48);
  assert.equal(loadConfig(file).services.size, 48);
  write(49);
  assert.throws(
    () => loadConfig(file),
    /:51:3: services\.s49: found more than 100000 services of the kernel, with this/,
  );
  write(2, `[${Array.from({ length: 245 }, (_, index) => `10.1.0.${index + 1}`).join(', ')}]`);
  assert.throws(() => loadConfig(file), /:4:3: services\.s2: found more than 1000000 real servers/);
});

test('patterns mean what they mean in a shell', () => {
  mkdirSync(join(dir, 'conf.d'));
  for (const name of ['a.yaml', 'b.yaml', 'ab.yaml', '.c.yaml', 'x-y', '[z]', '^q'])
    writeFileSync(join(dir, 'conf.d', name), 'services: {}\n');
  const found = (pattern: string) => including(`conf.d/${pattern}`).map((path) => path.slice('conf.d/'.length));
  assert.deepEqual(found('*.yaml'), ['a.yaml', 'ab.yaml', 'b.yaml']);
  assert.deepEqual(found('?.yaml'), ['a.yaml', 'b.yaml']);
  assert.deepEqual(found('[b-z].yaml'), ['b.yaml']);
  assert.deepEqual(found('[!a].yaml'), ['b.yaml']);
  assert.deepEqual(found('a*b*.y*l'), ['ab.yaml']);
  assert.deepEqual(found('.*'), ['.c.yaml']);
  assert.deepEqual(found('x?y'), ['x-y']);
  assert.deepEqual(found('[[]z]'), ['[z]']);
  assert.deepEqual(found('[^x]q'), ['^q']);
  assert.throws(() => found('[ab'), /whose \[ has no \]/);
});
