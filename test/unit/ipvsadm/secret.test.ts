// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { UsageError } from '../../../src/base/errors.ts';
import { parseSecret } from '../../../src/base/secret-file.ts';
import { parse } from '../../../src/ipvsadm/command-line/grammar.ts';
import { Lookup } from '../../../src/ipvsadm/lookup.ts';
import { readSecret } from '../../../src/ipvsadm/secret.ts';

const digits = '000102030405060708090a0b0c0d0E0F';
const bytes = Buffer.from(digits, 'hex');

test('a secret is 16 raw bytes or 32 digits', () => {
  for (const content of [bytes, Buffer.from(digits), Buffer.from(`${digits}\n`)])
    assert.deepEqual(Buffer.from(parseSecret(content) ?? []), bytes);
  for (const text of ['', digits.slice(1), `${digits}0`, `${digits}\n\n`, `g${digits.slice(1)}`, 'a'.repeat(17)])
    assert.equal(parseSecret(Buffer.from(text)), undefined, JSON.stringify(text));
});

test('a file that others can read is rejected, and a missing one', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lvsd-secret-'));
  try {
    const path = join(dir, 'secret');
    writeFileSync(path, bytes, { mode: 0o600 });
    assert.deepEqual(Buffer.from(readSecret(path)), bytes);
    for (const mode of [0o640, 0o604]) {
      chmodSync(path, mode);
      assert.throws(() => readSecret(path), { message: /must not be readable by group or others/, exitCode: 2 });
    }
    chmodSync(path, 0o600);
    writeFileSync(path, 'short');
    assert.throws(() => readSecret(path), { message: `${path}: a secret is 16 bytes or 32 hexadecimal digits` });
    assert.throws(() => readSecret(join(dir, 'none')), UsageError);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

const read = (line: string) => parse(line.split(' '), new Lookup(), 'lvsadm');

test('--cookie-secret takes a file and --stage', () => {
  const line = read('--cookie-secret /etc/s --stage');
  assert.equal(line.secretFile, '/etc/s');
  assert.deepEqual([...line.options], ['stage']);
  assert.equal(read('--cookie-secret -').options.size, 0);
  assert.throws(() => read('--cookie-secret -n -n'), {
    message: "Illegal 'numeric' option with the 'cookie-secret' command",
  });
  assert.throws(() => read('--secret - --stage'), { message: "Illegal 'stage' option with the 'secret' command" });
});

test('--secret takes a file and no options', () => {
  assert.equal(read('--secret /etc/s').secretFile, '/etc/s');
  assert.equal(read('--secret -').secretFile, '-');
  assert.throws(() => read('--secret /etc/s -n'), { message: "Illegal 'numeric' option with the 'secret' command" });
});
