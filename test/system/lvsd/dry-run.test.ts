// SPDX-License-Identifier: MIT
// lab: --uml=plain
// `lvsctl drain --dry-run` on the real kernel: it prints what a drain would do, and the drain then does that.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Site } from './site.ts';

let site: Site;
before(() => {
  site = new Site({ name: 'dry-run' });
});
after(() => site?.close());

test('a drain that would hand the service to its sorry server says so beforehand', async () => {
  const { lvsd } = site;
  const servers = [
    { address: '10.31.4.2', weight: 2 },
    { address: '10.31.5.2', name: 'web2' },
  ];
  const address = { address: '10.99.0.11', port: 80, device: 'vip0', quorum: 2 };
  const web = { ...address, sorry_server: '10.31.5.2:8001', real_servers: servers };
  await lvsd.start({ version: 1, services: { web } });
  const before = site.rules();
  const dry = await lvsd.ctl('drain', 'web', '10.31.4.2:80', '--dry-run');
  assert.equal(dry.status, 0);
  assert.match(dry.stdout, /^web 10\.31\.4\.2:80: dry run, nothing is changed$/m);
  assert.match(dry.stdout, /^\+ .*10\.31\.5\.2:8001/m);
  assert.match(dry.stderr, /web .*has no quorum: weight 1, needs 2; the sorry server serves/);
  assert.deepEqual(site.rules(), before);
  assert.equal((await lvsd.server('web', '10.31.4.2:80')).state, 'unchecked');

  const real = await lvsd.ctl('drain', 'web', '10.31.4.2:80');
  assert.equal(real.stderr, dry.stderr);
  assert.ok(site.rules().some((rule) => rule.includes('-r 10.31.5.2:8001 -m -w 1')));
  const ended = await lvsd.ctl('undrain', 'web', '10.31.4.2:80', '--dry-run');
  assert.match(ended.stdout, /^- .*10\.31\.5\.2:8001/m);
  assert.equal((await lvsd.server('web', '10.31.4.2:80')).state, 'draining');
  await lvsd.stop();
});
