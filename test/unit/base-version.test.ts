// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

test('the version is that of the program that runs, while an upgrade replaces or removes its files', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'lvsd-version-'));
  mkdirSync(join(dir, 'src/base'), { recursive: true });
  const copy = join(dir, 'src/base/version.ts');
  copyFileSync(`${import.meta.dirname}/../../src/base/version.ts`, copy);
  const file = join(dir, 'package.json');
  writeFileSync(file, '{ "version": "0.1.0" }');
  const { version } = (await import(copy)) as { version(): string };
  assert.equal(version(), '0.1.0');
  writeFileSync(file, '{ "version": "0.2.0" }');
  assert.equal(version(), '0.1.0');
  rmSync(dir, { recursive: true });
  assert.equal(version(), '0.1.0');
});
