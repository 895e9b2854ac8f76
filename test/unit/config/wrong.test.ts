// SPDX-License-Identifier: MIT
// Invalid configurations, one for each kind of error and place, and every line reported for them. After an intended
// change: LVSD_UPDATE=1 node --import tsx --test test/unit/config/wrong.test.ts, and read the difference.
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { userLine } from '../../../src/base/password.ts';
import { listOf } from '../../../src/config/describe.ts';
import { ConfigError, loadConfig } from '../../../src/config/index.ts';
import { serviceSchema } from '../../../src/config/schema/service.ts';
import { KINDS } from '../../../src/health/kinds.ts';
import { authority, certificate } from '../health/certificates.ts';
import { type Case, formatTable, parseTable, writeCase } from './table.ts';

const path = fileURLToPath(new URL('wrong.txt', import.meta.url));
const table = readFileSync(path, 'utf8');
const cases = parseTable(table);
const dir = mkdtempSync(join(tmpdir(), 'lvsd-wrong-'));
after(() => rmSync(dir, { recursive: true, force: true }));

authority('web');
const WEB = certificate('lb1', 'web', 'DNS:lb1');
const OTHER = certificate('lb2', 'web', 'DNS:lb2');
const USER = `${await userLine('prometheus', 'right')}\n`;

/** The kinds of checks and the keys of a service as messages list them, so that a new one changes no case. */
const TYPES = Object.keys(KINDS).map((kind, index) => (index === 0 ? `\`type: ${kind}\`` : `\`${kind}\``));
const SERVICE_KEYS = Object.keys(serviceSchema.properties).join(', ');

/** Creates the programs and certificates that cases name. */
function furnish(folder: string): void {
  const put = (name: string, mode: number, text: string | Buffer = '#!/bin/sh\n') => {
    writeFileSync(join(folder, name), text);
    chmodSync(join(folder, name), mode);
  };
  put('program', 0o755);
  put('plain', 0o644);
  put('no-interpreter', 0o755, 'exit 0\n');
  put('loose', 0o757);
  symlinkSync('open/program', join(folder, 'link-to-open'));
  if (process.geteuid?.() === 0) {
    put('foreign', 0o755);
    chownSync(join(folder, 'foreign'), 65534, 65534);
  }
  put('right.secret', 0o600, '000102030405060708090a0b0c0d0e0f\n');
  put('shown.secret', 0o640, '000102030405060708090a0b0c0d0e0f\n');
  put('short.secret', 0o600, '0001\n');
  put('web.pem', 0o644, WEB.cert);
  put('web.key', 0o600, WEB.key);
  put('shown.key', 0o640, WEB.key);
  put('other.key', 0o600, OTHER.key);
  put('web.users', 0o600, USER);
  put('shown.users', 0o644, USER);
  put('wrong.users', 0o600, `# monitoring\n${USER}ops:secret\n`);
  put('none.users', 0o600, '# nobody yet\n');
  put('empty.pem', 0o644, 'nothing in here\n');
  put('damaged.pem', 0o644, '-----BEGIN CERTIFICATE-----\nTUlJ\n-----END CERTIFICATE-----\n');
  put('latin1.yaml', 0o644, Buffer.from('version: 1\nservices: { caf\xe9: {} }\n', 'latin1'));
  put('utf16.yaml', 0o644, Buffer.from('\ufeffversion: 1\n', 'utf16le'));
  mkdirSync(join(folder, 'open'));
  writeFileSync(join(folder, 'open', 'program'), '');
  chmodSync(join(folder, 'open', 'program'), 0o755);
  chmodSync(join(folder, 'open'), 0o777);
}

/** Lines reported for a case. */
function report(one: Case, index: number): string[] {
  const folder = join(dir, String(index));
  mkdirSync(folder);
  furnish(folder);
  const file = writeCase(one, folder);
  const linesOf = (text: string) =>
    text
      .replaceAll(`${file}:`, '')
      .replaceAll(`${folder}/`, '')
      .replaceAll(folder, '$DIR')
      .replaceAll(SERVICE_KEYS, '$SERVICE_KEYS')
      .replaceAll(listOf(TYPES, 'or'), '$TYPES')
      .replaceAll(listOf(Object.keys(KINDS), 'or'), '$KINDS')
      .split('\n');
  try {
    const { warnings } = loadConfig(file, { node: 'lb1', everyNode: true });
    return warnings.length === 0
      ? ['(nothing is wrong)']
      : linesOf(warnings.map((line) => `warning: ${line}`).join('\n'));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const lines = linesOf(error.message);
    assert.equal(lines.length, error.problems.length, 'a line for each problem');
    for (const { place } of error.problems) assert.ok(!place || (place.line > 0 && place.column > 0));
    return lines;
  }
}

if (process.env.LVSD_UPDATE === '1') {
  const head = table.slice(0, table.indexOf('=== '));
  writeFileSync(
    path,
    formatTable(
      head,
      cases.map((one, index) => ({ ...one, expected: report(one, index) })),
    ),
  );
} else {
  test('there are at least 120 cases, each with its own title', () => {
    assert.ok(cases.length >= 120, String(cases.length));
    assert.equal(new Set(cases.map(({ title }) => title)).size, cases.length);
  });
  for (const [index, one] of cases.entries()) test(one.title, () => assert.deepEqual(report(one, index), one.expected));
}
