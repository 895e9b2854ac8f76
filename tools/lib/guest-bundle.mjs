// SPDX-License-Identifier: MIT
// Bundles TypeScript for the lab's guest: on an emulated CPU tsx needs three seconds to start, plain JavaScript half a
// second. Packages stay outside the bundle.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { top } from './say.mjs';

const folder = join(top, 'build/guest');

/**
 * Keeps each file's own place: import.meta.url stays what it is in the source tree.
 * @type {import('esbuild').Plugin}
 */
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

/**
 * Returns the path of a source file's bundle.
 * @param {string} file relative to the checkout
 */
export const guestBundle = (file) => join(folder, file.replace(/\.ts$/, '.mjs'));

/**
 * Returns the path of a bundle's source file; any other path unchanged.
 * @param {string} path absolute
 */
export const sourceOfBundle = (path) =>
  path.startsWith(`${folder}/`) ? join(top, path.slice(folder.length).replace(/\.mjs$/, '.ts')) : path;

/**
 * Bundles `files` (relative to the checkout) and returns the bundles' paths, in the same order.
 * @param {string[]} files
 */
export async function bundleForGuest(files) {
  const esbuild = await import('esbuild');
  await esbuild.build({
    entryPoints: files.map((file) => ({ in: join(top, file), out: file.replace(/\.ts$/, '') })),
    outdir: folder,
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
  return files.map(guestBundle);
}
