// SPDX-License-Identifier: MIT
// The installed package against the real kernel: the programs that npm puts into an empty prefix find their addon,
// schema and workers there. test/unit/tools/install.test.ts builds and installs the package in a bare Debian 12.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from './daemon.ts';
import { Site } from './site.ts';

const top = fileURLToPath(new URL('../../..', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'lvsd-installed-'));
const prefix = join(scratch, 'prefix');
let site: Site;

before(() => {
  const npm = (...words: string[]) =>
    execFileSync('npm', [...words, '--loglevel=error'], { cwd: top, encoding: 'utf8' });
  // The checkout is built, and read-only here.
  npm('pack', '--ignore-scripts', '--pack-destination', scratch);
  const [file = ''] = readdirSync(scratch).filter((name) => name.endsWith('.tgz'));
  npm('install', '--global', '--offline', '--prefix', prefix, join(scratch, file));
  process.env.PATH = `${join(prefix, 'bin')}:${process.env.PATH}`;
  site = new Site({ name: 'installed' });
});
after(async () => {
  await site?.close();
  rmSync(scratch, { recursive: true, force: true });
});

/** Command lines of processes that run a file of the package. */
function running(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return [];
      }
    })
    .filter((line) => line.includes(prefix));
}

test('the installed lvsd checks real servers and writes the table; lvsctl and lvsadm see it', async () => {
  const { lvsd, lvs } = site;
  const check = { type: 'http', path: '/healthz', body: { matches: '^well' }, interval: '1s', rise: 1, fall: 2 };
  await lvsd.start({
    version: 1,
    services: {
      shop: { address: '10.99.0.11', port: 80, device: 'vip0', check, real_servers: ['10.31.4.2', '10.31.5.2'] },
    },
  });
  await eventually('a check', async () => (await lvsd.server('shop', '10.31.4.2:80')).reason?.startsWith('status 200'));
  site.setHealthy('rs2:80', false);
  await eventually('rs2 to be down', async () => (await lvsd.server('shop', '10.31.5.2:80')).state === 'down', 30_000);
  const processes = running();
  for (const name of ['/bin/lvsd', '/lib/node_modules/lvsd/dist/workers/health.cjs'])
    assert.ok(
      processes.some((line) => line.includes(`${prefix}${name}`)),
      processes.join('\n'),
    );
  assert.match((await lvsd.ctl('status', '--brief')).stdout, /^shop +tcp 10\.99\.0\.11:80 .* 1 of 2 .* 10\.31\.5\.2$/m);
  const listed = lvs.balancer.run(['lvsadm', '-Ln']).stdout;
  assert.match(listed, /^TCP {2}10\.99\.0\.11:80 wlc$/m);
  assert.match(listed, /-> 10\.31\.4\.2:80 +Masq +1/);
  assert.doesNotMatch(listed, /10\.31\.5\.2/);
});
