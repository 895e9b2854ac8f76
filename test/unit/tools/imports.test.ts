// SPDX-License-Identifier: MIT
// The linter's import directions between folders, and its rule against circles, on probe files that follow or break
// them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const top = join(fileURLToPath(import.meta.url), '../../../..');
const tree = mkdtempSync(join(tmpdir(), 'lvsd-imports-'));
after(() => rmSync(tree, { recursive: true, force: true }));

/** Folder, import, and whether the linter accepts it. */
const probes: [string, string, boolean][] = [
  ['src/netlink', '../base/errors.ts', true],
  ['src/ipvs', '../netlink/index.ts', true],
  ['src/ipvsadm', '../ipvs/index.ts', true],
  ['src/ipvsadm', '../plan/index.ts', true],
  ['src/bin', '../ipvsadm/index.ts', true],
  ['src/daemon', '../plan/index.ts', true],
  ['src/config', '../health/kinds.ts', true],
  ['src/workers', '../health/worker/serve.ts', true],
  ['lab', './cache.ts', true],
  ['test/system/plan', '../../../lab/topology.ts', true],
  ['src/base', '../netlink/index.ts', false],
  ['src/netlink', '../ipvs/index.ts', false],
  ['src/ipvs', '../ipvsadm/index.ts', false],
  ['src/ipvsadm', '../daemon/start.ts', false],
  ['src/plan', '../daemon/start.ts', false],
  ['src/plan', '../ipvsadm/main.ts', false],
  ['src/config', '../health/http/schema.ts', false],
  ['src/bin', '../netlink/socket.ts', false],
  ['src/workers', '../daemon/start.ts', false],
  ['src/health', '../workers/health.ts', false],
  ['lab', '../src/base/errors.ts', false],
];

/** Lints all files of the tree by one rule of this project's biome.json; returns the names of the probes it rejects. */
function lint(rule: string): Set<string> {
  const args = ['lint', '--vcs-enabled=false', `--only=${rule}`, '--max-diagnostics=none', '.'];
  const { stdout, stderr } = spawnSync(join(top, 'node_modules/.bin/biome'), args, { cwd: tree, encoding: 'utf8' });
  const found = [...`${stdout}${stderr}`.matchAll(new RegExp(`([\\w-]+)\\.ts:\\S+ lint/${rule}`, 'g'))];
  assert.ok(found.length > 0, `${stdout}${stderr}`);
  return new Set(found.map((match) => match[1] ?? ''));
}

function rejected(): Set<string> {
  copyFileSync(join(top, 'biome.json'), join(tree, 'biome.json'));
  for (const [at, [dir, target]] of probes.entries()) {
    mkdirSync(join(tree, dir), { recursive: true });
    writeFileSync(join(tree, dir, `probe-${at}.ts`), `import '${target}';\n`);
  }
  return lint('style/noRestrictedImports');
}

const refused = rejected();
for (const [at, [dir, target, accepted]] of probes.entries()) {
  test(`${dir} ${accepted ? 'may' : 'must not'} import ${target}`, () => {
    assert.equal(refused.has(`probe-${at}`), !accepted);
  });
}

test('a circle of imports is rejected, also one of types', () => {
  const write = (name: string, text: string) => {
    mkdirSync(join(tree, 'src/plan/inner'), { recursive: true });
    writeFileSync(join(tree, 'src/plan', `${name}.ts`), text);
  };
  write('values-a', "import { b } from './inner/values-b.ts';\nexport const a = () => b;\n");
  write('inner/values-b', "import { c } from './values-c.ts';\nexport const b = () => c;\n");
  write('inner/values-c', "import { a } from '../values-a.ts';\nexport const c = () => a;\n");
  write('types-a', "import type { B } from './types-b.ts';\nexport type A = { b?: B };\n");
  write('types-b', "import type { A } from './types-a.ts';\nexport type B = { a?: A };\n");
  write('line-a', "import './line-b.ts';\n");
  write('line-b', 'export const end = 0;\n');
  const circles = ['types-a', 'types-b', 'values-a', 'values-b', 'values-c'];
  assert.deepEqual([...lint('suspicious/noImportCycles')].sort(), circles);
});
