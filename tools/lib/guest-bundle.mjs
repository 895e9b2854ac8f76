// SPDX-License-Identifier: MIT
// TypeScript made ready for the lab's guest: on an emulated CPU tsx needs three seconds to start, plain JavaScript half
// a second, so test files and the demo are bundled on the host first. Packages stay outside the bundle.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { top } from './say.mjs';

/** Each file goes on knowing its own place: import.meta.url becomes what it is in the source tree. */
const places = {
  name: 'places',
  setup(build) {
    build.onLoad({ filter: /\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8')
        .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href))
        .replaceAll('import.meta.dirname', JSON.stringify(dirname(path))),
      loader: 'ts',
    }));
  },
};

/** Bundles `files` (relative to the checkout) below build/guest; returns the bundles' paths, in the same order. */
export async function bundleForGuest(files) {
  const esbuild = await import('esbuild');
  const out = (file) => join(top, 'build/guest', file.replace(/\.ts$/, '.mjs'));
  await esbuild.build({
    entryPoints: files.map((file) => ({ in: join(top, file), out: file.replace(/\.ts$/, '') })),
    outdir: join(top, 'build/guest'),
    outExtension: { '.js': '.mjs' },
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: 'inline',
    plugins: [places],
    logLevel: 'warning',
  });
  return files.map(out);
}
