// SPDX-License-Identifier: MIT
// A configuration that other users can change or replace is rejected, at the first reading and at each later one.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadConfig, Rereader } from '../../../src/config/index.ts';

const isRoot = process.geteuid?.() === 0;
const top = mkdtempSync(join(tmpdir(), 'lvsd-trusted-'));
after(() => rmSync(top, { recursive: true, force: true }));

const dir = join(top, 'etc');
const file = join(dir, 'lvsd.yaml');
const part = join(dir, 'conf.d', 'a.yaml');
const TEXT =
  'version: 1\ninclude: [conf.d/*.yaml]\nservices:\n  web: { address: 10.0.0.1, port: 80, real_servers: [] }\n';

beforeEach(() => {
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(join(dir, 'conf.d'), { recursive: true, mode: 0o755 });
  writeFileSync(file, TEXT, { mode: 0o644 });
  writeFileSync(part, 'services: {}\n', { mode: 0o644 });
});

const load = () => loadConfig(file, { trusted: true });
const ALLOWED = 'allowed: a file that only root and the user of lvsd can change';

test('a file that only its owner can change is accepted', () => {
  assert.deepEqual([...load().services.keys()], ['web']);
});

test('a file that others may write is rejected, with the remedy', () => {
  chmodSync(file, 0o666);
  assert.throws(load, { message: `${file}: is writable by others; ${ALLOWED} (chmod go-w ${file})` });
});

test('one that its group may write is rejected, also if that is root: with an ACL the group bits are its mask', () => {
  chmodSync(file, 0o664);
  assert.throws(load, { message: `${file}: is writable by its group; ${ALLOWED} (chmod go-w ${file})` });
});

test('a link to a device is no file, which others may write', () => {
  rmSync(part);
  symlinkSync('/dev/zero', part);
  assert.throws(load, /include\[0\]: found ".*a\.yaml", which is not a regular file; allowed: a regular file$/);
});

test('authorities of checks that others can change are rejected', () => {
  const ca = join(dir, 'ca.pem');
  writeFileSync(ca, '', { mode: 0o666 });
  chmodSync(ca, 0o666);
  const check = `{ type: https, tls: { ca: ${ca} } }`;
  writeFileSync(
    file,
    TEXT.replace('real_servers: []', `real_servers: [10.0.0.2], check: ${check}`).replace(/include.*\n/, ''),
  );
  assert.throws(load, /tls\.ca: found ".*ca\.pem", which is writable by others/);
});

test('a file in a folder that others may write is rejected', () => {
  chmodSync(dir, 0o777);
  const what = `is in a folder that others control: ${dir} is writable by others`;
  assert.throws(load, { message: `${file}: ${what}; ${ALLOWED} (chmod go-w ${dir})` });
});

test('an included file is checked as well, and reported at the place of its include', () => {
  chmodSync(part, 0o666);
  assert.throws(load, (error: Error) => error.message.startsWith(`${file}:2:11: include[0]: found "`));
  assert.throws(load, /conf\.d\/a\.yaml", which is writable by others; allowed: /);
  chmodSync(part, 0o644);
  chmodSync(join(dir, 'conf.d'), 0o777);
  assert.throws(load, /which is in a folder that others control: .*conf\.d is writable by others/);
});

test('a link is followed: the folder of its target is checked', () => {
  const open = join(top, 'open');
  mkdirSync(open);
  renameSync(file, join(open, 'lvsd.yaml'));
  symlinkSync(join(open, 'lvsd.yaml'), file);
  load();
  chmodSync(open, 0o777);
  assert.throws(load, /is in a folder that others control: .*open is writable by others/);
  rmSync(open, { recursive: true });
});

test('a file of another user is rejected', { skip: !isRoot && 'only root can give files away' }, () => {
  chownSync(file, 65534, 65534);
  assert.throws(load, { message: `${file}: belongs to the user 65534; ${ALLOWED} (chown root ${file})` });
  chownSync(file, 0, 0);
  chownSync(dir, 65534, 65534);
  assert.throws(load, /is in a folder that others control: .*etc belongs to the user 65534/);
});

test('a reload checks the permissions again, even if the file has not changed', () => {
  rmSync(join(dir, 'conf.d'), { recursive: true });
  writeFileSync(file, TEXT.replace(/include.*\n/, ''));
  const reader = new Rereader(file, { trusted: true });
  reader.read();
  chmodSync(file, 0o666);
  assert.throws(() => reader.read(), /is writable by others/);
  chmodSync(file, 0o644);
  assert.deepEqual([...reader.read().services.keys()], ['web']);
});

const lvsd = fileURLToPath(new URL('../../../src/bin/lvsd.ts', import.meta.url));
const check = (words: string[], input = '') =>
  spawnSync(process.execPath, ['--import', 'tsx', lvsd, 'check', ...words], { input, encoding: 'utf8' });

test('lvsd check rejects it when it runs as root, with status 2', { skip: !isRoot && 'not root' }, () => {
  chmodSync(file, 0o666);
  const { status, stderr } = check(['-f', file]);
  assert.equal(status, 2);
  assert.match(stderr, /^\S+lvsd\.yaml: is writable by others; allowed: /);
});

test('lvsd check reads standard input', () => {
  const good = TEXT.replace(/include.*\n/, '');
  for (const name of ['-', '/dev/stdin']) {
    const { status, stdout, stderr } = check(['-f', name], good);
    assert.deepEqual([status, stdout, stderr], [0, `${name}: OK: 1 service, 0 real servers\n`, '']);
  }
  const { status, stderr } = check(['-f', '-'], 'version: 2\nservices: {}\n');
  assert.deepEqual([status, stderr], [2, 'standard input:1:10: version: found 2; allowed: 1\n']);
});
