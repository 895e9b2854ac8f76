// SPDX-License-Identifier: MIT
// Schedulers are looked for among the modules that are loaded and those that could be.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { absentSchedulers } from '../../../src/daemon/reconcile/schedulers.ts';

const root = mkdtempSync(join(tmpdir(), 'lvsd-schedulers-'));
after(() => rmSync(root, { recursive: true }));
const NAMES = ['rr', 'wrr', 'twos', 'own', 'rr'];

test('without a list of modules nothing is known to be missing', () => {
  assert.deepEqual([...absentSchedulers(NAMES, root, '6.1')], []);
});

test('a scheduler that is loaded, a module or built in is there', () => {
  const modules = join(root, 'lib/modules/6.1');
  mkdirSync(modules, { recursive: true });
  mkdirSync(join(root, 'sys/module/ip_vs_own'), { recursive: true });
  writeFileSync(
    join(modules, 'modules.dep'),
    'kernel/net/netfilter/ipvs/ip_vs.ko: kernel/lib/libcrc32c.ko\nkernel/net/netfilter/ipvs/ip_vs_rr.ko.xz: kernel/net/netfilter/ipvs/ip_vs.ko.xz\n',
  );
  writeFileSync(join(modules, 'modules.builtin'), 'kernel/net/netfilter/ipvs/ip_vs_wrr.ko\n');
  assert.deepEqual([...absentSchedulers(NAMES, root, '6.1')], ['twos']);
});
