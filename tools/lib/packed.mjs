// SPDX-License-Identifier: MIT
// A program that has to start fast: its bundle together with what V8 makes of it, so that nothing has to be compiled at
// the start. Another version of Node finds that it cannot use the latter, and compiles.

import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';

/** Of the decimal number in front of the pack that says how long the bundle is; what follows has to be aligned. */
const HEAD = 16;

/** Beside NAME.pack, as NAME.cjs. The bundle believes that it is this file. */
export const launcher = `#!/usr/bin/env node
'use strict';
const { readFileSync } = require('node:fs');
const { Script } = require('node:vm');
const filename = __filename.replace(/cjs$/, 'pack');
const pack = readFileSync(filename);
const end = ${HEAD} + Number(pack.latin1Slice(0, ${HEAD}));
const program = new Script(pack.latin1Slice(${HEAD}, end), { filename, cachedData: pack.subarray(end) });
program.runInThisContext()(exports, require, module, __filename, __dirname);
`;

/** The pack of a CommonJS bundle of ASCII text, `filename` being where it will lie. Changes V8's flags for a moment. */
export function packOf(bundle, filename) {
  const text = `(function (exports, require, module, __filename, __dirname) {${bundle}\n})`;
  const program = text.padEnd(Math.ceil(text.length / 8) * 8);
  // Otherwise functions are compiled when they are first called, and are not in what is kept.
  setFlagsFromString('--no-lazy');
  const script = new Script(program, { filename });
  setFlagsFromString('--lazy');
  const head = String(program.length).padEnd(HEAD);
  return Buffer.concat([Buffer.from(head + program, 'latin1'), script.createCachedData()]);
}
