// SPDX-License-Identifier: MIT
// npm run release -- X.Y.Z: checks the tree, writes the version and CHANGELOG.md, commits and tags (nothing is pushed),
// builds the packages, and says what remains by hand. RELEASING.md is the whole procedure.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { releasedChangelog, withNames, withVersion } from './lib/release.mjs';
import { runLive, runQuiet } from './lib/run.mjs';
import { ErrorReport, main, say, top } from './lib/say.mjs';
import { setup } from './lib/setup.mjs';

const git = (/** @type {string[]} */ ...words) => runQuiet('git', words).trim();

/** @param {string} version */
function checkTree(version) {
  if (git('status', '--porcelain') !== '') throw new ErrorReport('the checkout has changes: commit or stash them');
  if (git('tag', '--list', `v${version}`) !== '') throw new ErrorReport(`the tag v${version} exists`);
}

/** Files that carry the version, beside package.json and its lock. */
const SOURCES = ['kernel-patches/dkms/dkms.conf', 'toa-module/dkms.conf', 'toa-module/toa_main.c'];

/** Pages that name files, modules or lvsd with the version. */
const PAGES = ['README.md', 'docs/kernel.md', 'docs/lvsctl.md', 'docs/toa.md'];

/** @param {string} version */
function writeFiles(version) {
  runQuiet('npm', ['version', '--no-git-tag-version', '--allow-same-version', version]);
  for (const source of SOURCES) {
    const path = join(top, source);
    writeFileSync(path, withVersion(readFileSync(path, 'utf8'), version));
  }
  for (const page of PAGES) {
    const path = join(top, page);
    writeFileSync(path, withNames(readFileSync(path, 'utf8'), version));
  }
  const changelog = join(top, 'CHANGELOG.md');
  const date = new Date().toISOString().slice(0, 10);
  writeFileSync(changelog, releasedChangelog(readFileSync(changelog, 'utf8'), version, date));
}

await main(async ([version = '']) => {
  if (!/^\d+\.\d+\.\d+$/.test(version)) throw new ErrorReport('usage: npm run release -- X.Y.Z', 2);
  await setup();
  checkTree(version);
  if ((await runLive('npm', ['run', '-s', 'lint'])) !== 0) throw new ErrorReport('lint failed');
  writeFiles(version);
  git('commit', '--quiet', '--all', '--message', `release ${version}`);
  git('tag', '--annotate', '--message', `lvsd ${version}`, `v${version}`);
  say(`committed and tagged v${version}; to take it back: git tag -d v${version} && git reset --hard HEAD~`);
  if ((await runLive(process.execPath, [join(top, 'tools/package.mjs')])) !== 0)
    throw new ErrorReport('the packages could not be built');
  const files = readdirSync(join(top, 'build/packages')).map((name) => `build/packages/${name}`);
  process.stdout.write(`lvsd ${version} is committed, tagged and built. By hand:

  1. npm test, and npm run test:full -- AREA for areas that changed: packages, kernel, ...
  2. git push origin HEAD v${version}
  3. Publish with the tag:
${files.map((file) => `       ${file}`).join('\n')}
  4. Elsewhere, in a fresh clone of the tag: npm run package; SHA256SUMS must be the same.
`);
});
