// SPDX-License-Identifier: MIT
// Packed programs: this Node accepts the code cache; the programs work without it; without the addon they report its
// absence.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';

const top = join(fileURLToPath(import.meta.url), '../../../..');
const copy = mkdtempSync(join(tmpdir(), 'lvsd-packed-'));
after(() => rmSync(copy, { recursive: true, force: true }));
for (const part of ['dist/bin', 'build/native', 'package.json'])
  cpSync(join(top, part), join(copy, part), { recursive: true });

const programs = ['lvsadm', 'lvsadm-save', 'lvsadm-restore'].map((name) => {
  const pack = `dist/bin/${name}.pack`;
  const bytes = readFileSync(join(top, pack));
  return { name, pack, bytes, end: 16 + Number(bytes.toString('latin1', 0, 16)) };
});

function run(program: string, ...words: string[]) {
  const path = join(copy, 'dist/bin', `${program}.cjs`);
  const { status, stdout, stderr } = spawnSync(path, words, { encoding: 'utf8', input: '-C\n' });
  return { status, stdout, stderr };
}

/** One command line of each program that needs no kernel. */
const answers = () => [run('lvsadm', '-A'), run('lvsadm', '-v'), run('lvsadm-save', '-x')];
const wanted = answers();

test('the code cache is accepted', () => {
  for (const { name, bytes, end } of programs) {
    const script = new Script(bytes.toString('latin1', 16, end), { cachedData: bytes.subarray(end) });
    assert.equal(script.cachedDataRejected, false, name);
  }
  const [usage, version, save] = wanted;
  assert.deepEqual([usage?.status, usage?.stdout], [2, '']);
  assert.match(usage?.stderr ?? '', /^You need to supply the 'service-address' option/);
  assert.equal(version?.status, 0);
  assert.match(version?.stdout ?? '', /^lvsadm v/);
  assert.equal(save?.status, 1);
  assert.match(save?.stderr ?? '', /^lvsadm-save: prints the table/);
});

test('a start loads one module of Node that an empty program does not load', () => {
  const hook = join(copy, 'list.cjs');
  const say = "require('node:fs').writeSync(2, JSON.stringify(process.moduleLoadList))";
  writeFileSync(hook, `process.on('exit', () => ${say});`);
  writeFileSync(join(copy, 'empty.cjs'), '');
  const modules = (...words: string[]) => {
    const { stderr } = spawnSync(process.execPath, ['--require', hook, ...words], { encoding: 'utf8' });
    return JSON.parse(stderr.slice(stderr.lastIndexOf('['))) as string[];
  };
  const empty = new Set(modules(join(copy, 'empty.cjs')));
  // -Ln fails where the kernel has no IPVS, and then loads what its message needs; -A is rejected before.
  const loaded = modules(join(copy, 'dist/bin/lvsadm.cjs'), '-A').filter((name) => !empty.has(name));
  assert.deepEqual(loaded, ['NativeModule vm']);
});

test('without a usable cache the programs work as before', () => {
  for (const { name, pack, bytes, end } of programs) {
    for (const code of [Buffer.alloc(0), Buffer.from('x'.repeat(100)), bytes.subarray(end, end + 4000)]) {
      writeFileSync(join(copy, pack), Buffer.concat([bytes.subarray(0, end), code]));
      assert.deepEqual(answers(), wanted, name);
    }
    writeFileSync(join(copy, pack), bytes);
  }
});

test('without the addon commands that need no kernel work, others report the missing addon', () => {
  rmSync(join(copy, 'build'), { recursive: true });
  assert.deepEqual(answers(), wanted);
  for (const [program, ...words] of [['lvsadm', '-Ln'], ['lvsadm-save'], ['lvsadm-restore']] as const) {
    const { status, stdout, stderr } = run(program, ...words);
    assert.deepEqual([status, stdout], [1, ''], program);
    assert.match(stderr, /^(lvsadm: .*lvsd\.node: cannot open shared object file.*\n)+$/);
  }
});
