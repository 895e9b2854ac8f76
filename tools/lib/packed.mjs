// SPDX-License-Identifier: MIT
// A program that has to start fast: its bundle together with what V8 makes of it, so that next to nothing has to be
// compiled at the start. Kept are the functions that ran when warmed.mjs ran the program: those that nobody calls would
// take their time as well. Another version of Node finds that it cannot use them, and compiles.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';

/** Of the decimal number in front of the pack that says how long the bundle is; what follows has to be aligned. */
const HEAD = 16;

/** Looking Node up takes a process of its own, which a system's Node can do without: where it lies does not change. */
const interpreter = process.execPath === '/usr/bin/node' ? process.execPath : '/usr/bin/env node';

/**
 * Beside NAME.pack, as NAME.cjs. The bundle believes that it is this file, and is given the addon (base/native.ts), which
 * also maps the pack: that takes a fraction of what reading it does.
 */
export const launcher = `#!${interpreter}
'use strict';
const { Script } = require('node:vm');
const filename = __filename.replace(/cjs$/, 'pack');
const native = { exports: {} };
let pack;
try {
  process.dlopen(native, \`\${__dirname}/../../build/native/lvsd.node\`);
  pack = native.exports.mapFile(filename);
} catch {
  // The program tells what is wrong with it, if it needs it.
  native.exports = undefined;
  pack = require('node:fs').readFileSync(filename);
}
const end = ${HEAD} + Number(pack.latin1Slice(0, ${HEAD}));
const program = new Script(pack.latin1Slice(${HEAD}, end), { filename, cachedData: pack.subarray(end) });
program.runInThisContext()(exports, require, module, __filename, __dirname, native.exports);
`;

/** The pack of a CommonJS bundle of ASCII text, `place` being where it will lie; `lines` are those that it is run on. */
export function packOf(bundle, place, lines) {
  const text = `(function (exports, require, module, __filename, __dirname, __addon) {${bundle}\n})`;
  const program = text.padEnd(Math.ceil(text.length / 8) * 8);
  const cachedData = compiled(program, place, lines);
  if (new Script(program, { cachedData }).cachedDataRejected)
    throw new Error('V8 takes not what it has compiled itself');
  const head = String(program.length).padEnd(HEAD);
  return Buffer.concat([Buffer.from(head + program, 'latin1'), cachedData]);
}

function compiled(program, place, lines) {
  const dir = mkdtempSync(join(tmpdir(), 'lvsd-pack-'));
  try {
    const file = join(dir, 'program.cjs');
    writeFileSync(file, program, 'latin1');
    const warmed = fileURLToPath(new URL('warmed.mjs', import.meta.url));
    return execFileSync(process.execPath, [warmed, file, place, ...lines], { maxBuffer: 64 << 20 });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
