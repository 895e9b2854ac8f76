// SPDX-License-Identifier: MIT
// An incremental reload gives the same configuration as reading all files from scratch.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { loadConfig, Rereader } from '../../src/config/index.ts';

const numRuns = process.env.LVSD_COUNTS === 'full' ? 10_000 : 150;
const dir = mkdtempSync(join(tmpdir(), 'lvsd-reread-'));
const file = join(dir, 'lvsd.yaml');
after(() => rmSync(dir, { recursive: true, force: true }));

const FIRST = `version: 1
# the usual things
defaults:
  scheduler: wrr
  check: { type: tcp, interval: 5s }
local_addresses:
  inner: { addresses: [10.31.3.101-10.31.3.104] }
services:
  # the first
  a:
    address: 10.99.0.1
    port: 80
    real_servers:
      - 10.31.4.1:80
      - { address: 10.31.4.2, port: 80, weight: 2 }
  b:
    address: 10.99.0.2
    port: 80
    forward: fullnat
    local_addresses: inner
    real_servers: [10.31.4.1:80, 10.31.4.3]

  c:
    address: 10.99.0.3
    port: 443
    check:
      type: http
      path: "/healthz"
    # two of them
    real_servers:
      - address: 10.31.4.1
        name: one
      - address: 10.31.4.2
        name: two
  d:
    address: 10.99.0.4
    port: 80
    real_servers: []
`;

/** Lines that may be written, valid or not. */
const LINES = [
  ...['', '# a remark', '      - 10.31.4.9:80', '      - 10.31.4.1:80', '      - { address: 10.31.4.8, weight: 5 }'],
  ...['    port: 81', '    port: 80', '    address: 10.99.0.1', '    address: 10.31.3.101', '    scheduler: rr'],
  ...[
    '    quorum: 2',
    '    qourum: 2',
    '    real_servers: [10.99.0.3, 10.31.4.7]',
    '    real_servers:',
    '  e:',
    '  a:',
  ],
  ...[
    '    real_servers: [10.31.4.7',
    '    real_servers: "10.31.4.7',
    '        name: three',
    '    device: eth1',
    "  'f':",
  ],
  ...[
    '    check: { type: http, path: "/x" }',
    '    check: none',
    'log: { level: warn }',
    'nodes:',
    '  | text',
    '    x: |',
  ],
  ...[
    '      weight: 3',
    '    forward: direct',
    '    forward: fullnat',
    '    local_addresses: inner',
    '    fwmark: 7',
    '  b: {}',
  ],
  ...[
    '    check: &x { type: tcp }',
    '    check: *x',
    '\tport: 1',
    '---',
    '  c:',
    '    "port": 82',
    '  ? a',
    '    drain: 5s',
  ],
];

const edit = fc.record({
  kind: fc.constantFrom('replace', 'insert', 'delete', 'letter', 'number', 'join'),
  at: fc.nat(),
  line: fc.constantFrom(...LINES),
  letter: fc.constantFrom(...' :-{}[]"\'#,|>0a\n'),
  number: fc.integer({ min: 1, max: 9 }),
});

function edited(
  text: string,
  { kind, at, line, letter, number }: typeof edit extends fc.Arbitrary<infer T> ? T : never,
) {
  const lines = text.split('\n');
  const index = at % lines.length;
  const here = lines[index] ?? '';
  if (kind === 'replace') lines[index] = line;
  else if (kind === 'insert') lines.splice(index, 0, line);
  else if (kind === 'delete') lines.splice(index, 1);
  else if (kind === 'number') lines[index] = here.replace(/\d(?=\D*$)/, String(number));
  else if (kind === 'join') lines.splice(index, 2, here + (lines[index + 1] ?? ''));
  else {
    const place = at % (text.length + 1);
    return text.slice(0, place) + letter + text.slice(place);
  }
  return lines.join('\n');
}

function outcome(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    return error instanceof Error ? error.message : error;
  }
}

test('incremental and full reading give the same configuration and problems', () => {
  let parts = 0;
  fc.assert(
    fc.property(fc.array(fc.array(edit, { minLength: 1, maxLength: 2 }), { minLength: 1, maxLength: 6 }), (saves) => {
      writeFileSync(file, FIRST);
      const rereader = new Rereader(file);
      rereader.read();
      let good = FIRST;
      for (const edits of saves) {
        const text = edits.reduce(edited, good);
        writeFileSync(file, text);
        const anew = outcome(() => loadConfig(file));
        assert.deepEqual(
          outcome(() => rereader.read()),
          anew,
          text,
        );
        if (typeof anew !== 'string') good = text;
      }
      parts += rereader.parts;
    }),
    { numRuns },
  );
  assert.ok(parts > numRuns / 10, `only ${parts} incremental reloads`);
});

test('an unaffected part stays the same object', () => {
  writeFileSync(file, FIRST);
  const rereader = new Rereader(file);
  const before = rereader.read();
  writeFileSync(file, FIRST.replace('weight: 2', 'weight: 7').replace('      - 10.31.4.1:80\n', ''));
  const now = rereader.read();
  assert.equal(rereader.parts, 1);
  assert.deepEqual(
    [...now.services.keys()].filter((name) => now.services.get(name) !== before.services.get(name)),
    ['a'],
  );
  assert.equal(now.services.get('a')?.realServers.length, 1);
  assert.deepEqual(now, loadConfig(file));
});

test('a change that affects other parts is validated with them', () => {
  for (const [what, by] of [
    ['address: 10.99.0.4', 'address: 10.99.0.1'],
    ['real_servers: [10.31.4.1:80, 10.31.4.3]', 'real_servers: [10.99.0.4]'],
    ['inner: { addresses: [10.31.3.101-10.31.3.104] }', 'inner: { addresses: [10.99.0.4] }'],
  ] as const) {
    writeFileSync(file, FIRST);
    const rereader = new Rereader(file);
    rereader.read();
    writeFileSync(file, FIRST.replace(what, by));
    assert.throws(() => rereader.read(), { name: 'ConfigError' }, by);
    writeFileSync(file, FIRST);
    assert.deepEqual(rereader.read(), loadConfig(file));
  }
});
