// SPDX-License-Identifier: MIT
// The texts of a release, and the command's refusals.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { releasedChangelog, withNames, withVersion } from '../../../tools/lib/release.mjs';

const top = join(fileURLToPath(import.meta.url), '../../../..');

test('what was unreleased gets the version and the date; an empty section is rejected', () => {
  const text = '# Changelog\n\n## Unreleased\n\n- One.\n\n## 0.1.0 (2026-01-01)\n\n- Zero.\n';
  const released = releasedChangelog(text, '0.2.0', '2026-11-28');
  assert.equal(
    released,
    '# Changelog\n\n## Unreleased\n\n## 0.2.0 (2026-11-28)\n\n- One.\n\n## 0.1.0 (2026-01-01)\n\n- Zero.\n',
  );
  assert.throws(() => releasedChangelog(released, '0.3.0', '2026-11-29'), /"Unreleased" of CHANGELOG.md is empty/);
  assert.throws(() => releasedChangelog('# Changelog\n', '0.3.0', '2026-11-29'), /no section "Unreleased"/);
});

test('pages name the version of package.json, and a release changes all of them', () => {
  const { version } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'));
  for (const page of ['README.md', 'docs/kernel.md', 'docs/lvsctl.md', 'docs/toa.md']) {
    const text = readFileSync(join(top, page), 'utf8');
    assert.equal(withNames(text, version), text, page);
  }
  assert.equal(
    withNames('lvsd-1.2.3.tgz lvsd-ipvs/1.2.3 lvsd-toa-1.2.3 lvsd 1.2.3, linux-6.1.192', '4.5.6'),
    'lvsd-4.5.6.tgz lvsd-ipvs/4.5.6 lvsd-toa-4.5.6 lvsd 4.5.6, linux-6.1.192',
  );
  const places = ['README.md', 'docs', 'debian', 'examples', 'kernel-patches/dkms', 'man', 'src', 'toa-module'];
  const words = ['grep', '-lP', `(?<![\\d.])${version.replaceAll('.', '\\.')}(?!\\.?\\d)`, '--', ...places];
  const { stdout } = spawnSync('git', words, { cwd: top, encoding: 'utf8' });
  const released = ['docs/kernel.md', 'docs/lvsctl.md', 'docs/toa.md', 'kernel-patches/dkms/dkms.conf'];
  assert.deepEqual(stdout.trim().split('\n'), [
    'README.md',
    ...released,
    'toa-module/dkms.conf',
    'toa-module/toa_main.c',
  ]);
});

test('CHANGELOG.md, both dkms.conf and the module toa have what a release changes', () => {
  const read = (path: string) => readFileSync(join(top, path), 'utf8');
  assert.match(read('CHANGELOG.md'), /^## Unreleased$/m);
  for (const conf of ['kernel-patches/dkms/dkms.conf', 'toa-module/dkms.conf'])
    assert.match(withVersion(read(conf), '9.8.7'), /^PACKAGE_VERSION="9\.8\.7"$/m);
  assert.match(withVersion(read('toa-module/toa_main.c'), '9.8.7'), /^MODULE_VERSION\("9\.8\.7"\);$/m);
});

test('without a version the command says how to call it', () => {
  for (const words of [[], ['1.2'], ['v1.2.3']]) {
    const { status, stderr } = spawnSync(process.execPath, [join(top, 'tools/release.mjs'), ...words], {
      encoding: 'utf8',
    });
    assert.deepEqual([status, stderr], [2, 'lvsd: usage: npm run release -- X.Y.Z\n']);
  }
});
