// SPDX-License-Identifier: MIT
// lab: --stock
// also: --kernel 6.12
// lvsd doctor on the distribution's modules: it names their missing features.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { unloadIpVs } from '../fullnat/rig.ts';

const run = (program: string, ...words: string[]) => spawnSync(program, words, { encoding: 'utf8' });

test('ip_vs not loaded: a problem, and doctor does not load it', () => {
  run('ipvsadm', '-C');
  unloadIpVs();
  assert.equal(existsSync('/sys/module/ip_vs'), false);
  const { status, stdout } = run('lvsd', 'doctor');
  assert.equal(status, 1, stdout);
  assert.match(stdout, /^problem +module +ip_vs is not loaded; modprobe would load \/.*ip_vs\.ko/m);
  assert.equal(existsSync('/sys/module/ip_vs'), false);
});

test('loaded: no problem, and a note that FULLNAT is missing', () => {
  run('modprobe', 'ip_vs');
  const { status, stdout } = run('lvsd', 'doctor');
  assert.equal(status, 0, stdout);
  assert.match(stdout, /^note +build +not lvsd's modules: no FULLNAT/m);
  assert.match(stdout, /^ok +installed +\/.*\/ip_vs\.ko(\.xz)? is the loaded module/m);
});
