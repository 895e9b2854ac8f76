// SPDX-License-Identifier: MIT
// Debian's own tools build the packages from debian/.
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runQuiet } from '../lib/run.mjs';

/**
 * @param {string} tree a copy of the checkout
 * @param {{ version: string, epoch: string, level: string, out: string }} how
 */
export function buildDebs(tree, { version, epoch, level, out }) {
  const control = readFileSync(join(tree, 'debian/control'), 'utf8');
  const maintainer = /^Maintainer: (.+)$/m.exec(control)?.[1];
  const date = new Date(Number(epoch) * 1000).toUTCString().replace('GMT', '+0000');
  const entry = `lvsd (${version}) unstable; urgency=medium\n\n  * CHANGELOG.md has the changes.\n\n -- ${maintainer}  ${date}\n`;
  writeFileSync(join(tree, 'debian/changelog'), entry);
  const licence = readFileSync(join(tree, 'build/node/LICENSE'), 'utf8');
  const copyright = readFileSync(join(tree, 'debian/copyright'), 'utf8');
  writeFileSync(join(tree, 'debian/lvsd.copyright'), `${copyright}${nodeCopyright(licence)}`);
  const env = {
    ...process.env,
    LEVEL: level,
    SOURCE_DATE_EPOCH: epoch,
    LC_ALL: 'C.UTF-8',
    DEB_BUILD_OPTIONS: 'noautodbgsym nocheck',
    // Blocks of the compressed file depend on whether there are threads at all.
    DPKG_DEB_THREADS_MAX: '2',
  };
  runQuiet('dpkg-buildpackage', ['--build=binary', '--no-sign', '--no-check-builddeps', '--no-pre-clean'], {
    cwd: tree,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // dpkg-buildpackage writes beside its folder.
  const beside = dirname(tree);
  for (const name of readdirSync(beside)) if (name.endsWith('.deb')) renameSync(join(beside, name), join(out, name));
}

/**
 * The paragraphs of debian/copyright for Node, with the text that comes with it.
 * @param {string} licence
 */
function nodeCopyright(licence) {
  const text = licence
    .trimEnd()
    .split('\n')
    .map((line) => (line.trim() === '' ? ' .' : ` ${line}`))
    .join('\n');
  return `\nFiles: build/node/*\nCopyright: Node.js contributors and those named below\nLicense: Node.js\n${text}\n`;
}
