// SPDX-License-Identifier: MIT
// Packs a bundle with V8's code cache, for programs that must start fast: almost nothing is compiled at start. The cache
// has only the functions that were called when warmed.mjs ran the program, because loading others would take time. Another
// version of Node rejects the cache and compiles the bundle.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';

/** Bytes of the header: the length of the bundle, in decimal. */
const HEADER = 16;

/** Standard input of the command lines that read rules. */
const RULES = '-A -t 192.0.2.1:80 -s wrr\n-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 1\n';

/**
 * NAME.cjs, which runs the bundle in NAME.pack as if that were its own text.
 * @param {string} head the first lines
 */
export const launcher = (head) => `${head}'use strict';
const { Script } = require('node:vm');
const filename = __filename.replace(/cjs$/, 'pack');
const pack = require('node:fs').readFileSync(filename);
const end = ${HEADER} + Number(pack.latin1Slice(0, ${HEADER}));
const cachedData = new Uint8Array(pack.buffer, pack.byteOffset + end);
const program = new Script(pack.latin1Slice(${HEADER}, end), { filename, cachedData });
program.runInThisContext()(exports, require, module, __filename, __dirname);
`;

/**
 * Packs a CommonJS bundle of ASCII text that will be at `path`, after running it on the command lines in `lines`.
 * @param {string} bundle
 * @param {string} path
 * @param {string[]} lines
 */
export function packOf(bundle, path, lines) {
  const text = `(function (exports, require, module, __filename, __dirname) {${bundle}\n})`;
  // Aligns the cache.
  const program = text.padEnd(Math.ceil(text.length / 8) * 8);
  const cachedData = compiled(program, path, lines);
  if (new Script(program, { cachedData }).cachedDataRejected) throw new Error('V8 rejects its own code cache');
  const header = String(program.length).padEnd(HEADER);
  return Buffer.concat([Buffer.from(header + program, 'latin1'), cachedData]);
}

/**
 * @param {string} program
 * @param {string} path
 * @param {string[]} lines
 */
function compiled(program, path, lines) {
  const dir = mkdtempSync(join(tmpdir(), 'lvsd-pack-'));
  try {
    const file = join(dir, 'program.cjs');
    writeFileSync(file, program, 'latin1');
    const warmed = fileURLToPath(new URL('warmed.mjs', import.meta.url));
    // A fixed seed: the same bundle becomes the same bytes, with Node 20 and 22, not with 24.
    const words = ['--hash-seed=1', warmed, file, path, ...lines];
    return execFileSync(process.execPath, words, { input: RULES, maxBuffer: 64 << 20 });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
