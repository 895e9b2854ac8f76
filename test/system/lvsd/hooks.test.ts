// SPDX-License-Identifier: MIT
// lab: --uml=plain
// Hooks of a running daemon: their order and environment, a hook that hangs while checks and changes of the table go
// on, and stopping.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, afterEach, before, test } from 'node:test';
import { until } from '../../../lab/topology.ts';
import { Site } from './site.ts';

const HOOK = '/run/lvsd-hook';
const OUT = '/run/lvsd-hook-out';
const HANG = '/run/lvsd-hook-hangs';
let site: Site;

before(() => {
  site = new Site({ name: 'hooks' });
  // biome-ignore lint/suspicious/noTemplateCurlyInString: expanded by the shell
  const line = '"$1 $LVSD_EVENT $LVSD_STATE $LVSD_SERVICE ${LVSD_SERVER-} ${LVSD_ADDRESS-}:${LVSD_PORT-} $LVSD_REASON"';
  writeFileSync(HOOK, `#!/bin/sh\necho ${line} >>${OUT}\n[ ! -e ${HANG} ] || exec sleep 1000\n`);
  chmodSync(HOOK, 0o755);
});
afterEach(async () => {
  await site.lvsd.stop();
  site.clear();
  for (const path of [OUT, HANG]) rmSync(path, { force: true });
});
after(async () => {
  await site?.close();
  rmSync(HOOK, { force: true });
});

const lines = () => (existsSync(OUT) ? readFileSync(OUT, 'utf8').split('\n').slice(0, -1) : []);
const pace = { interval: '500ms', timeout: '450ms', rise: 1, fall: 2 };
const conf = (hooks: object) => ({
  version: 1,
  services: {
    shop: {
      ...{ address: '10.99.0.11', port: 80, device: 'vip0', check: { ...pace, type: 'http', path: '/healthz' } },
      real_servers: [{ address: '10.31.5.2', name: 'web2' }],
      hooks,
    },
  },
});
const [up, down, quorum] = ['up', 'down', 'quorum'].map((name) => [HOOK, name]);

test('the hooks for down, quorum and up run in order, with the details in their environment', async () => {
  await site.lvsd.start(conf({ up, down, quorum }));
  site.setHealthy('rs2:80', false);
  await until('the hooks of the failure', () => lines().length === 2, 20_000);
  site.setHealthy('rs2:80', true);
  await until('the hooks of the recovery', () => lines().length === 4, 20_000);
  assert.deepEqual(lines(), [
    'down server down shop web2 10.31.5.2:80 status 503, wanted 200-299',
    'quorum quorum down shop  : weight 0, needs 1',
    'up server up shop web2 10.31.5.2:80 status 200',
    'quorum quorum up shop  : weight 1, needs 1',
  ]);
});

test('a hook that hangs blocks neither checks nor the table, and is ended', async () => {
  const inTable = () => site.rules().some((rule) => rule.includes('-r 10.31.5.2:80'));
  writeFileSync(HANG, '');
  await site.lvsd.start(conf({ up, down, timeout: '15s' }));
  site.setHealthy('rs2:80', false);
  await until('the hook to hang', () => lines().length === 1, 20_000);
  await until('the server to be out', () => !inTable(), 5000);
  site.setHealthy('rs2:80', true);
  await until('the server to be in', inTable, 10_000);
  assert.equal(lines().length, 1);
  rmSync(HANG);
  await until('the next hook', () => lines().length === 2, 30_000);
  await site.lvsd.logs(/shop: hook for down of web2 \(\/run\/lvsd-hook\): stopped after its timeout of 15s/);
  assert.match(lines()[1] ?? '', /^up server up shop web2 /);
});

test('lvsd stops at once although a hook hangs, and ends its program', async () => {
  writeFileSync(HANG, '');
  await site.lvsd.start(conf({ down, timeout: '1h' }));
  site.setHealthy('rs2:80', false);
  await until('the hook to hang', () => lines().length === 1, 20_000);
  const began = performance.now();
  await site.lvsd.stop();
  assert.ok(performance.now() - began < 10_000);
  const hung = await site.lvs.balancer.exec(['pgrep', '-f', '^sleep 1000'], { accept: 'any' });
  assert.equal(hung.stdout, '');
});
