// SPDX-License-Identifier: MIT
// The container image: umoci, which others wrote, reads the archive and unpacks it; its programs run there, and process 1
// reaps. docs/packages.md has how an engine runs it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { removeTree } from '../../../lab/bare-root.ts';
import { unpackDebs } from '../../../lab/debs.ts';
import { builtPackages, runInRoot } from '../../../lab/packages.ts';

const scratch = mkdtempSync(join(tmpdir(), 'lvsd-image-'));
after(() => removeTree(scratch));
const [layout, bundle] = [join(scratch, 'layout'), join(scratch, 'bundle')];
const root = join(bundle, 'rootfs');
let config: { process: { args: string[]; env: string[] } };

before(async () => {
  const built = await builtPackages();
  const archive = readdirSync(built).find((name) => name.endsWith('.oci.tar')) ?? '';
  mkdirSync(layout);
  execFileSync('tar', ['-xf', join(built, archive), '-C', layout]);
  unpackDebs(['umoci'], join(scratch, 'tool'));
  const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8'));
  const tag = index.manifests[0].annotations['org.opencontainers.image.ref.name'];
  execFileSync(join(scratch, 'tool/usr/bin/umoci'), ['unpack', '--image', `${layout}:${tag}`, bundle], {
    stdio: 'pipe',
  });
  config = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8'));
});

test('it starts lvsd below a process 1 that reaps', () => {
  assert.deepEqual(config.process.args, ['/usr/bin/tini', '-g', '--', '/usr/sbin/lvsd', 'run']);
  assert.ok(config.process.env.includes('PATH=/usr/sbin:/usr/bin'));
});

test('programs, addon and shell work in it; an orphan is reaped', () => {
  const inside = `lvsd check; lvsctl --version; lvsadm -v; lvsadm -Ln; readlink /proc/1/exe
(sleep 0.2 &); sleep 1; cat /proc/[0-9]*/stat | cut -d" " -f2,3`;
  const script = `set +x; exec /usr/bin/tini -g -- sh -c '${inside}'`;
  const output = runInRoot({ layers: [root], cwd: '/', script });
  assert.match(output, /^\/etc\/lvsd\/lvsd\.yaml: OK: 0 services, 0 real servers\nlvsctl \d.*\nlvsadm v\d/m, output);
  // The addon asks the kernel, which here has no IPVS or answers for an empty namespace.
  assert.match(output, /^IP Virtual Server version|^Can't initialize ipvs/m, output);
  assert.match(output, /^\/usr\/bin\/tini$/m);
  assert.match(output, /^\(tini\) S$/m);
  assert.doesNotMatch(output, / Z$/m);
});
