// SPDX-License-Identifier: MIT
// Randomly damaged configurations: each gives a Config or a ConfigError, in bounded time, and YAML is read as by
// js-yaml. LVSD_COUNTS=full damages a hundred thousand.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { CORE_SCHEMA, load, mergeTag, parseEvents } from 'js-yaml';
import { explain } from '../../src/config/explain.ts';
import { ConfigError, loadConfig } from '../../src/config/index.ts';
import { isValid, jsonSchema } from '../../src/config/validator.ts';
import { compose } from '../../src/config/yaml/compose.ts';

const full = process.env.LVSD_COUNTS === 'full';
const numRuns = full ? 100_000 : 1_000;
/** Milliseconds that a file may take, also on a busy machine. */
const TIME_LIMIT = 5_000;

const examples = fileURLToPath(new URL('../../examples/', import.meta.url));
const originals = ['lvsd.yaml', 'every-key.yaml', 'cluster/lvsd.yaml', 'cluster/conf.d/mail.yaml'].map((name) =>
  readFileSync(join(examples, name), 'utf8'),
);
const dir = mkdtempSync(join(tmpdir(), 'lvsd-mutants-'));
const file = join(dir, 'lvsd.yaml');
after(() => rmSync(dir, { recursive: true, force: true }));

/** Pieces of text that a slip or a template may leave in a file. */
const bits = fc.oneof(
  fc.constantFrom(
    ...[
      '*a',
      '&a ',
      '<<: ',
      '<<: *a',
      '- ',
      '[',
      ']',
      '{',
      '}',
      '"',
      "'",
      '\t',
      ': ',
      ':',
      ',',
      '# ',
      '\n',
      '\r',
      '  ',
    ],
    ...[
      'null',
      '~',
      'true',
      'yes',
      '0',
      '-1',
      '010',
      '1e9',
      '.inf',
      '.nan',
      '65536',
      '2s',
      '0s',
      '1,5s',
      '\0',
      '\u0085',
    ],
    ...['!!str ', '!!int ', '!x ', '%YAML 1.1\n', '---\n', '...\n', '? ', '|', '>', '@', '`', '\ufeff', '__proto__: 1'],
    ...['10.0.0.1', '10.0.0.0/8', '::', '[::1]:80', '2001:db8::', '10.0.0.9-10.0.0.1', 'fullnat', 'none', 'tunnel'],
    ...['services:', 'check: ', 'type: ', 'address: ', 'port: ', 'toString: 1', 'constructor: {}', 'include: [.]'],
  ),
  fc.string({ maxLength: 8 }),
  fc.string({ unit: 'binary', maxLength: 4 }),
);
const damage = fc.oneof(
  fc.record({ kind: fc.constant('insert' as const), at: fc.nat(), text: bits }),
  fc.record({ kind: fc.constant('cut' as const), at: fc.nat(), length: fc.nat({ max: 40 }) }),
  fc.record({ kind: fc.constant('replace' as const), at: fc.nat(), text: bits }),
  fc.record({ kind: fc.constant('line' as const), at: fc.nat(), to: fc.nat() }),
  fc.record({ kind: fc.constant('indent' as const), at: fc.nat(), by: fc.integer({ min: -4, max: 4 }) }),
  fc.record({ kind: fc.constant('end' as const), at: fc.nat() }),
);
type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never;

function apply(text: string, how: Damage): string {
  const at = text.length === 0 ? 0 : how.at % text.length;
  if (how.kind === 'insert') return text.slice(0, at) + how.text + text.slice(at);
  if (how.kind === 'cut') return text.slice(0, at) + text.slice(at + how.length);
  if (how.kind === 'end') return text.slice(0, at);
  const lines = text.split('\n');
  const line = how.at % lines.length;
  const old = lines[line] ?? '';
  if (how.kind === 'line') lines.splice(how.to % lines.length, 0, old);
  else if (how.kind === 'indent') lines[line] = how.by < 0 ? old.slice(-how.by) : ' '.repeat(how.by) + old;
  // The value of a line becomes another.
  else lines[line] = old.replace(/(?<=[:\-[{,] ?)[^\s,\]}]+/, () => how.text);
  return lines.join('\n');
}

const mutants = fc
  .tuple(fc.constantFrom(...originals), fc.array(damage, { minLength: 1, maxLength: 5 }))
  .map(([original, damages]) => damages.reduce(apply, original));

/** Loads a file: it must give a configuration or problems with a place and a sentence, in time. */
function verify(text: string): void {
  writeFileSync(file, text);
  const started = performance.now();
  try {
    loadConfig(file, { node: 'lb1', everyNode: true });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    assert.equal(error.exitCode, 2);
    assert.ok(error.problems.length > 0);
    const lines = text.split(/\r\n?|\n/).length;
    for (const { place, text: sentence } of error.problems) {
      assert.ok(place === undefined || (place.line >= 1 && place.line <= lines && place.column >= 1), sentence);
      assert.doesNotMatch(sentence, /[\p{Cc}\p{Zl}\p{Zp}]/u, 'one line without control characters');
      assert.doesNotMatch(sentence, /undefined|\[object|NaN(?!\b)|at Object|TypeError/);
      assert.ok(sentence.length < 2000, sentence);
    }
  }
  assert.ok(performance.now() - started < TIME_LIMIT, 'in time');
}

test('a damaged file gives a configuration or a list of problems', () => {
  fc.assert(fc.property(mutants, verify), { numRuns: full ? numRuns : 2_000 });
});

test('random bytes give a list of problems', () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.string({ unit: 'binary', maxLength: 200 })), (bytes) => {
      writeFileSync(file, bytes);
      assert.throws(() => loadConfig(file, { node: 'lb1' }), ConfigError);
    }),
    { numRuns: full ? 10_000 : 500 },
  );
});

test('YAML is read as by js-yaml', () => {
  const schema = CORE_SCHEMA.withTags(mergeTag);
  let compared = 0;
  fc.assert(
    fc.property(mutants, (text) => {
      let theirs: unknown;
      try {
        theirs = load(text, { schema });
      } catch {
        return;
      }
      const ours = compose(text, parseEvents(text, {}));
      if (ours.flaws.length > 0) return;
      assert.deepEqual(ours.value, theirs);
      compared++;
    }),
    { numRuns },
  );
  assert.ok(compared > numRuns / 10, `${compared} compared`);
});

test('exactly the values that ajv rejects are explained', () => {
  const schema = jsonSchema();
  const leaves = fc.oneof(
    fc.constantFrom<unknown>(null, true, 0, -1, 1.5, 80, 70000, '', 'none', '2s', 'tcp', 'http', '10.0.0.1', [], {}),
    fc.constantFrom<unknown>({ type: 'tcp' }, { type: 'x' }, { method: 'tunnel' }, ['a'], [1], { a: 1 }, '8000-8009'),
    fc.jsonValue({ maxDepth: 2 }),
  );
  const everything = originals.slice(0, 2).map((text) => load(text));
  let refused = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...everything),
      fc.array(fc.tuple(fc.nat(), leaves), { maxLength: 3 }),
      (base, changes) => {
        const value = structuredClone(base);
        for (const [at, leaf] of changes) replaceAt(value, at, leaf);
        const misfits = explain(schema, value);
        assert.equal(misfits.length === 0, isValid(value), JSON.stringify({ changes, misfits }));
        if (misfits.length > 0) refused++;
      },
    ),
    { numRuns },
  );
  assert.ok(refused > numRuns / 4, `${refused} refused`);
});

/** Replaces the `at`-th value in `root`, modulo their number, by `leaf`. */
function replaceAt(root: unknown, at: number, leaf: unknown): void {
  const slots: [Record<string, unknown>, string][] = [];
  const walk = (value: unknown) => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, child] of Object.entries(value)) {
      slots.push([value as Record<string, unknown>, key]);
      walk(child);
    }
  };
  walk(root);
  const slot = slots[at % slots.length];
  if (slot) slot[0][slot[1]] = structuredClone(leaf);
}
