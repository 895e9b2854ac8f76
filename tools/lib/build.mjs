// SPDX-License-Identifier: MIT
// Builds the programs: src/bin and src/workers into CommonJS bundles (an ESM bundle with winston fails at start), native/
// into one addon by one call of cc. Outputs are replaced by rename, so that a build does not disturb running tests.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { buildCatalog, catalogOutput } from './catalog.mjs';
import { buildConfigSchema, configOutputs } from './config-schema.mjs';
import { buildManual, manualOutputs } from './manual.mjs';
import { launcher, packOf } from './packed.mjs';
import { runQuiet } from './run.mjs';
import { say, short, top } from './say.mjs';
import { OLDEST_NODE } from './setup.mjs';

const addon = join(top, 'build', 'native', 'lvsd.node');

/**
 * @param {string} dir
 * @param {string} suffix
 */
function filesUnder(dir, suffix) {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { recursive: true })
    .map((name) => join(dir, String(name)))
    .filter((name) => name.endsWith(suffix))
    .sort();
}

const newest = (/** @type {string[]} */ files) => files.reduce((max, file) => Math.max(max, statSync(file).mtimeMs), 0);

/**
 * @param {string} output
 * @param {string[]} inputs
 */
function stale(output, inputs) {
  return !existsSync(output) || statSync(output).mtimeMs < newest(inputs);
}

/** The library that package.json exports. */
const library = { source: join(top, 'src/netlink/index.ts'), output: join(top, 'dist/netlink/index.cjs') };

/**
 * Programs that are packed (packed.mjs), each with the command lines to warm it up.
 * @type {Record<string, string[]>}
 */
const PACKED = {
  lvsadm: ['-Ln', '-A -t 192.0.2.1:80 -s wrr', '-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 1'],
  'lvsadm-save': ['-n'],
  'lvsadm-restore': ['--strict'],
};

/** Entry points and the bundle that each becomes. */
function bundles() {
  const programs = ['bin', 'workers'].flatMap((dir) => {
    const from = join(top, 'src', dir);
    if (!existsSync(from)) return [];
    return readdirSync(from)
      .filter((name) => name.endsWith('.ts'))
      .map((name) => ({ source: join(from, name), output: join(top, 'dist', dir, `${basename(name, '.ts')}.cjs`) }));
  });
  return [...programs, library];
}

const packPath = (/** @type {string} */ output) => output.replace(/cjs$/, 'pack');

/**
 * Options of Node for single programs. With 40,000 checked real servers, a small young generation and a collection after
 * the start and each reload (src/daemon/memory.ts) take 50 MB from the daemon, and nothing from its speed. A packed
 * program runs for so short a time that starting V8's threads would take more instructions than they save: 2.5 % of a
 * start.
 */
const nodeOptions = (/** @type {string} */ name) =>
  name === 'lvsd' ? '--max-semi-space-size=1 --expose-gc' : name in PACKED ? '--v8-pool-size=0' : undefined;

/**
 * Returns the first lines of a program. Node older than 20 gets one message instead of a syntax error. Without a handler,
 * SIGUSR1 opens Node's debugger, through which any local user can run code with the rights of the process; packed programs
 * end too soon for that, and the handler would cost a part of their start.
 * @param {string} name
 */
const head = (name) => `#!/usr/bin/env ${nodeOptions(name) ? `-S node ${nodeOptions(name)}` : 'node'}
if (parseInt(process.versions.node, 10) < ${OLDEST_NODE}) {
  console.error('${name}: needs Node ${OLDEST_NODE} or newer; ' + process.execPath + ' is ' + process.versions.node);
  process.exit(1);
}
${name in PACKED ? '' : "process.on('SIGUSR1', () => {});\n"}`;

/**
 * Replaces a file atomically.
 * @param {string} output
 * @param {string | Uint8Array} content
 */
function place(output, content) {
  const fresh = `${output}.${process.pid}`;
  mkdirSync(dirname(output), { recursive: true });
  writeFileSync(fresh, content, { mode: output.endsWith('.cjs') ? 0o755 : 0o644 });
  renameSync(fresh, output);
}

/**
 * @param {string} source
 * @param {import('esbuild').BuildOptions} options
 * @returns {Promise<string>}
 */
async function bundle(source, options) {
  const { build: esbuild } = await import('esbuild');
  const { outputFiles } = await esbuild({
    entryPoints: [source],
    write: false,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    // Schemas of checks are loaded by the build only; no program needs TypeBox.
    external: ['@sinclair/typebox'],
    logLevel: 'warning',
    ...options,
    define: { 'import.meta.dirname': '__dirname', ...options.define },
  });
  return outputFiles?.[0]?.text ?? '';
}

/** @param {boolean} force */
async function buildBundles(force) {
  const inputs = [
    ...filesUnder(join(top, 'src'), '.ts'),
    ...['package.json', 'tools/lib/build.mjs', 'tools/lib/packed.mjs', 'tools/lib/warmed.mjs'].map((name) =>
      join(top, name),
    ),
  ];
  for (const { source, output } of bundles()) {
    const lines = PACKED[basename(output, '.cjs')];
    const pack = packPath(output);
    // A pack fits one Node only.
    if (!force && !stale(output, inputs) && !(lines && stale(pack, [...inputs, process.execPath]))) continue;
    // A bundle lies as deep as its source (dist/bin, src/bin), so relative paths from import.meta.url stay right.
    if (lines) {
      const define = { 'import.meta.url': '__filename' };
      // import() has no meaning in a script that did not come from a file.
      const supported = { 'dynamic-import': false };
      const bundled = await bundle(source, { define, supported, minify: true });
      place(pack, packOf(bundled, pack, lines));
      place(output, launcher(head(basename(output, '.cjs'))));
    } else {
      const url = 'const importMetaUrl = require("node:url").pathToFileURL(__filename).href;';
      const js = `${output === library.output ? '' : head(basename(output, '.cjs'))}${url}`;
      place(output, await bundle(source, { define: { 'import.meta.url': 'importMetaUrl' }, banner: { js } }));
    }
    say(`built ${short(output)}`);
  }
  for (const dir of ['bin', 'workers']) {
    const keep = new Set(bundles().flatMap(({ output }) => [output, packPath(output)]));
    const found = ['.cjs', '.pack'].flatMap((suffix) => filesUnder(join(top, 'dist', dir), suffix));
    for (const file of found) if (!keep.has(file)) rmSync(file);
  }
}

/** @param {boolean} force */
function buildAddon(force) {
  const sources = filesUnder(join(top, 'native'), '.c');
  if (sources.length === 0) return;
  const headers = filesUnder(join(top, 'native'), '.h');
  if (!force && !stale(addon, [...sources, ...headers])) return;
  const { include_dir: include } = createRequire(import.meta.url)('node-api-headers');
  mkdirSync(join(top, 'build', 'native'), { recursive: true });
  const fresh = `${addon}.${process.pid}`;
  const flags = ['-shared', '-fPIC', '-O2', '-g', '-std=gnu11', '-fvisibility=hidden', '-Wall', '-Wextra', '-Werror'];
  // Debug information with paths from the top of the checkout: the addon is published.
  flags.push(`-ffile-prefix-map=${top}=.`);
  runQuiet(process.env.CC ?? 'cc', [...flags, `-I${include}`, '-DNODE_GYP_MODULE_NAME=lvsd', '-o', fresh, ...sources]);
  renameSync(fresh, addon);
  say(`built ${short(addon)}`);
}

/**
 * Builds the configuration's validator and JSON Schema from the schema files and what they import.
 * @param {boolean} force
 */
async function buildSchema(force) {
  const sources = [...filesUnder(join(top, 'src'), 'schema.ts'), ...filesUnder(join(top, 'src/config/schema'), '.ts')];
  const beside = ['src/health/checks.ts', 'src/base/schema-words.ts', 'src/config/limits.ts', 'src/config/types.ts'];
  const tools = ['tools/lib/config-schema.mjs', 'package.json'];
  const inputs = [...sources, ...[...beside, ...tools].map((name) => join(top, name))];
  if (!force && !configOutputs.some((output) => stale(output, inputs))) return;
  await buildConfigSchema();
  for (const output of configOutputs) say(`built ${short(output)}`);
}

/**
 * Builds the manual pages that come from the schema and from help texts.
 * @param {boolean} force
 */
async function buildPages(force) {
  const sources = ['src/control', 'src/daemon/commands', 'src/base'].flatMap((dir) =>
    filesUnder(join(top, dir), '.ts'),
  );
  const beside = ['tools/lib/manual.mjs', 'tools/lib/config-reference.mjs', 'docs/configuration.md', 'package.json'];
  const inputs = [...sources, ...configOutputs, ...beside.map((name) => join(top, name))];
  if (!force && !manualOutputs.some((output) => stale(output, inputs))) return;
  await buildManual();
  for (const output of manualOutputs) say(`built ${short(output)}`);
}

/**
 * Builds the journal's message catalog from the kinds of events.
 * @param {boolean} force
 */
async function buildJournal(force) {
  const inputs = ['src/control/events/kinds.ts', 'src/control/events/message-ids.ts', 'tools/lib/catalog.mjs'];
  if (
    !force &&
    !stale(
      catalogOutput,
      inputs.map((name) => join(top, name)),
    )
  )
    return;
  await buildCatalog();
  say(`built ${short(catalogOutput)}`);
}

/** The MIT license, which both libraries of the page have. */
const PERMISSION = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to
whom the Software is furnished to do so, subject to the following conditions: The above copyright notice and this permission
notice shall be included in all copies or substantial portions of the Software. THE SOFTWARE IS PROVIDED "AS IS", WITHOUT
WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A
PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES
OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE
SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;

/** Of the libraries in the page. */
const NOTICE = `/*! lvsd: MIT. With Preact, Copyright (c) 2015-present Jason Miller, and uPlot, Copyright (c) 2022 Leon Sorkin.
${PERMISSION} */`;

/**
 * Builds the page of lvsd web: one script and one style sheet, which need nothing else.
 * @param {boolean} force
 */
async function buildPage(force) {
  const [from, to] = [join(top, 'src/web/client'), join(top, 'dist/web')];
  const inputs = [
    ...['.ts', '.tsx', '.css', '.html'].flatMap((suffix) => filesUnder(from, suffix)),
    ...['src/base', 'src/control', 'src/web/page'].flatMap((dir) => filesUnder(join(top, dir), '.ts')),
    ...['package-lock.json', 'tools/lib/build.mjs'].map((name) => join(top, name)),
  ];
  const outputs = ['index.html', 'page.css', 'page.js'].map((name) => join(to, name));
  if (!force && !outputs.some((output) => stale(output, inputs))) return;
  const browser = /** @type {const} */ ({ platform: 'browser', format: 'esm', target: 'es2022', minify: true });
  const jsx = /** @type {const} */ ({ jsx: 'automatic', jsxImportSource: 'preact' });
  const script = await bundle(join(from, 'main.tsx'), { ...browser, ...jsx, banner: { js: NOTICE } });
  place(join(to, 'page.js'), script);
  place(join(to, 'page.css'), await bundle(join(from, 'page.css'), { ...browser, banner: { css: NOTICE } }));
  place(join(to, 'index.html'), readFileSync(join(from, 'index.html')));
  for (const output of outputs) say(`built ${short(output)}`);
}

/** Builds what is out of date, or everything if `force` is set. */
export async function build({ force = false } = {}) {
  buildAddon(force);
  await buildSchema(force);
  await buildPages(force);
  await buildJournal(force);
  await buildBundles(force);
  await buildPage(force);
}
