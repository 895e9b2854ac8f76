// SPDX-License-Identifier: MIT
// The short way through a plain text leads where the long one leads, or is not taken: whatever a slip of the hand makes
// of a text, and for anything that is written plainly. LVSD_COUNTS=full makes a million slips.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseEvents } from 'js-yaml';
import { compose } from '../../src/config/yaml/compose.ts';
import { readPlain } from '../../src/config/yaml/plain.ts';

const full = process.env.LVSD_COUNTS === 'full';

const TEXTS = [
  'a: 1\nb: c\n',
  'a:\n  b: { c: d, e: [1, x:y, "q u"] } # f\n\n  g:\n  - h\n  - i: 1\n    j: 2\n  - {}\n',
  'services:\n  web:\n    port: 80\n    real_servers:\n      - { address: 10.0.0.1, port: 80 }\n      - 10.0.0.2:80\n',
  'l: [\'a\', "b", c]\n# d\nm: # e\n  n: 10\no: .5\np:\nq: null\n',
  'a: { b: { c: [ { d: e } ] } }\nf:\n- g\n-   h:\n    - i\n    j: k\n',
  readFileSync(new URL('../../examples/lvsd.yaml', import.meta.url), 'utf8').slice(0, 1500),
];
/** Those that are plain more often, so that some texts stay so. */
const LETTERS = `${' \n:-#,{}[]ab1.0/_'.repeat(3)}"'\\~&*!|>%@\`?é\t\r`;

/** True where the short way was taken. */
function agrees(text: string): boolean {
  const plain = readPlain(text);
  if (plain === undefined) return false;
  const { value, flaws } = compose(text, parseEvents(text, { maxDepth: 40 }));
  assert.deepEqual(flaws, [], text);
  assert.deepEqual(plain, value, text);
  // The order of keys too.
  assert.equal(JSON.stringify(plain), JSON.stringify(value), text);
  return true;
}

const slip = fc.record({
  at: fc.nat(),
  cut: fc.nat({ max: 3 }),
  put: fc.array(fc.constantFrom(...LETTERS), { maxLength: 3 }),
});

test('after slips of the hand it is js-yaml’s reading, or none', () => {
  const numRuns = full ? 1_000_000 : 10_000;
  let taken = 0;
  fc.assert(
    fc.property(fc.constantFrom(...TEXTS), fc.array(slip, { minLength: 1, maxLength: 3 }), (text, slips) => {
      let slipped = text;
      for (const { at, cut, put } of slips) {
        const from = at % (slipped.length + 1);
        slipped = slipped.slice(0, from) + put.join('') + slipped.slice(from + cut);
      }
      if (agrees(slipped)) taken++;
    }),
    { numRuns },
  );
  assert.ok(taken > numRuns / 20, `${taken} taken`);
});

const word = fc.stringMatching(/^[a-z_][a-z0-9_./-]{0,6}[a-z0-9]$/);
const scalar = fc.oneof(
  word,
  fc.nat({ max: 99_999 }),
  fc.boolean(),
  fc.ipV4(),
  fc.constant('10.0.0.1:80'),
  fc.constant(null),
);
const { tree } = fc.letrec<{ tree: unknown; map: unknown }>((tie) => ({
  tree: fc.oneof({ depthSize: 'small' }, scalar, fc.array(tie('tree'), { maxLength: 3 }), tie('map')),
  map: fc.dictionary(word, tie('tree'), { maxKeys: 4 }),
}));

/** In block style where `block`, else in brackets. */
function written(value: unknown, indent: number, block: boolean): string {
  if (typeof value !== 'object' || value === null) return ` ${value === null ? 'null' : String(value)}\n`;
  const entries = Array.isArray(value) ? value.map((item) => ['', item] as const) : Object.entries(value);
  if (!block || entries.length === 0) return ` ${JSON.stringify(value).replace(/([:,])(?=["{[\dtfn])/g, '$1 ')}\n`;
  const blanks = ' '.repeat(indent);
  const lines = entries.map(([key, item]) =>
    Array.isArray(value)
      ? `${blanks}-${written(item, indent + 2, typeof item !== 'object' || item === null)}`
      : `${blanks}${key}:${written(item, indent + 2, indent < 6)}`,
  );
  return `\n${lines.join('')}`;
}

test('what is written plainly is taken, and read as js-yaml reads it', () => {
  let taken = 0;
  const numRuns = full ? 100_000 : 2_000;
  fc.assert(
    fc.property(fc.dictionary(word, tree, { minKeys: 1, maxKeys: 5 }), (value) => {
      if (agrees(written(value, 0, true).slice(1))) taken++;
    }),
    { numRuns },
  );
  assert.ok(taken > numRuns / 2, `${taken} taken`);
});
