// SPDX-License-Identifier: MIT
// The import directions of the design, shown on files that break them: biome must refuse each, and accept the right way.
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
copyFileSync(join(top, 'biome.json'), join(tree, 'biome.json'));

/** Lints one import in a file under src/DIR of a tree with this project's biome.json; true when biome accepts it. */
function accepts(dir: string, target: string): boolean {
  mkdirSync(join(tree, 'src', dir), { recursive: true });
  const file = join(tree, 'src', dir, 'probe.ts');
  writeFileSync(file, `import '${target}';\n`);
  const args = ['lint', '--vcs-enabled=false', '--only=style/noRestrictedImports', file];
  const result = spawnSync(join(top, 'node_modules/.bin/biome'), args, { cwd: tree, encoding: 'utf8' });
  const refused = `${result.stdout}${result.stderr}`.includes('lint/style/noRestrictedImports ━');
  assert.equal(result.status, refused ? 1 : 0, result.stderr);
  return !refused;
}

const right: [string, string][] = [
  ['netlink', '../base/errors.ts'],
  ['ipvs', '../netlink/index.ts'],
  ['ipvsadm', '../ipvs/index.ts'],
  ['ipvsadm', '../plan/index.ts'],
  ['bin', '../ipvsadm/index.ts'],
  ['daemon', '../plan/index.ts'],
  ['config', '../health/http/schema.ts'],
  ['workers', '../health/worker/serve.ts'],
];
const wrong: [string, string][] = [
  ['base', '../netlink/index.ts'],
  ['netlink', '../ipvs/index.ts'],
  ['ipvs', '../ipvsadm/index.ts'],
  ['ipvsadm', '../daemon/start.ts'],
  ['plan', '../daemon/start.ts'],
  ['plan', '../ipvsadm/main.ts'],
  ['config', '../health/http/check.ts'],
  ['bin', '../netlink/socket.ts'],
  ['workers', '../daemon/start.ts'],
  ['health', '../workers/health.ts'],
];

for (const [dir, target] of right) {
  test(`src/${dir} may import ${target}`, () => assert.equal(accepts(dir, target), true));
}
for (const [dir, target] of wrong) {
  test(`src/${dir} must not import ${target}`, () => assert.equal(accepts(dir, target), false));
}
