// SPDX-License-Identifier: MIT
// The linter's import directions between folders, on probe files that follow or break them.
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

/** Lints all probes at once in a tree with this project's biome.json; returns the names of those that it rejects. */
function rejected(): Set<string> {
  copyFileSync(join(top, 'biome.json'), join(tree, 'biome.json'));
  for (const [at, [dir, target]] of probes.entries()) {
    mkdirSync(join(tree, dir), { recursive: true });
    writeFileSync(join(tree, dir, `probe-${at}.ts`), `import '${target}';\n`);
  }
  const args = ['lint', '--vcs-enabled=false', '--only=style/noRestrictedImports', '--max-diagnostics=none', '.'];
  const { stdout, stderr } = spawnSync(join(top, 'node_modules/.bin/biome'), args, { cwd: tree, encoding: 'utf8' });
  const found = [...`${stdout}${stderr}`.matchAll(/(probe-\d+)\.ts:\S+ lint\/style\/noRestrictedImports/g)];
  assert.ok(found.length > 0, `${stdout}${stderr}`);
  return new Set(found.map((match) => match[1] ?? ''));
}

const refused = rejected();
for (const [at, [dir, target, accepted]] of probes.entries()) {
  test(`${dir} ${accepted ? 'may' : 'must not'} import ${target}`, () => {
    assert.equal(refused.has(`probe-${at}`), !accepted);
  });
}
