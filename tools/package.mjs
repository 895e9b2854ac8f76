// SPDX-License-Identifier: MIT
// npm run package [-- [--out DIR] [--level 0..9]]: the Debian packages, npm's, the container image and
// SHA256SUMS, in DIR (build/packages). The same commit becomes the same bytes, in whatever folder: docs/packages.md.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { runQuiet } from './lib/run.mjs';
import { main, say, short, top } from './lib/say.mjs';
import { setup, setupApt } from './lib/setup.mjs';
import { buildDebs } from './package/debs.mjs';
import { buildImage } from './package/image.mjs';
import { nodeBinary } from './package/node-binary.mjs';
import { revision } from './package/revision.mjs';
import { stage } from './package/stage.mjs';

await main(async (args) => {
  // Folders that this process makes become part of the packages.
  process.umask(0o022);
  const { values } = parseArgs({
    args,
    options: {
      out: { type: 'string', default: join(top, 'build/packages') },
      level: { type: 'string', default: '6' },
    },
  });
  const { level } = values;
  const out = resolve(values.out);
  await setup();
  await setupApt(['debhelper', 'dh-dkms', 'dpkg-dev']);
  const { version, epoch } = revision();
  const tree = stage(await nodeBinary());
  const fresh = `${out}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  try {
    say(`building the packages of ${version}`);
    buildDebs(tree, { version, epoch, level, out: fresh });
    runQuiet('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', fresh], { cwd: tree });
    await buildImage(join(fresh, `lvsd_${version}_amd64.deb`), { version, epoch, out: fresh });
    const names = readdirSync(fresh).sort();
    const sum = (/** @type {string} */ name) =>
      createHash('sha256')
        .update(readFileSync(join(fresh, name)))
        .digest('hex');
    writeFileSync(join(fresh, 'SHA256SUMS'), names.map((name) => `${sum(name)}  ${name}\n`).join(''));
    rmSync(out, { recursive: true, force: true });
    renameSync(fresh, out);
    for (const name of names) say(`built ${short(join(out, name))}`);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
    rmSync(dirname(tree), { recursive: true, force: true });
  }
});
