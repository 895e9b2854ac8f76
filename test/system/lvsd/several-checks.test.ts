// SPDX-License-Identifier: MIT
// lab: --uml=plain
// Several checks of one real server on the real kernel: it is in the table while all pass; status, events and history
// show each check.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../../../lab/topology.ts';
import { eventually } from './daemon.ts';
import { Site } from './site.ts';

let site: Site;
before(() => {
  site = new Site({ name: 'several' });
});
after(() => site?.close());

const WEB2 = '-a -t 10.99.0.11:80 -r 10.31.5.2:80 -m -w 1';
const web2In = () => site.rules().includes(WEB2);

test('a real server with several checks serves while all of them pass', async () => {
  const { lvsd } = site;
  const pace = { interval: '500ms', timeout: '450ms', rise: 2, fall: 2 };
  const shop = {
    ...{ address: '10.99.0.11', port: 80, device: 'vip0', check: { ...pace, type: 'http', path: '/healthz' } },
    checks: [{ ...pace, type: 'tcp', port: 8001 }],
    real_servers: [{ address: '10.31.4.2', checks: [] }, '10.31.5.2'],
  };
  await lvsd.start({ version: 1, services: { shop } });
  assert.ok(web2In());
  assert.equal((await lvsd.server('shop', '10.31.4.2:80')).checks, undefined);

  site.block('rs2', [8001], 'reset');
  await until('the second check to take it out', () => !web2In(), 20_000);
  const down = await lvsd.server('shop', '10.31.5.2:80');
  assert.equal(down.state, 'down');
  assert.match(down.reason ?? '', /refused/);
  assert.deepEqual(
    down.checks?.map(({ type, target, up }) => [type, target, up]),
    [
      ['http', '10.31.5.2:80', true],
      ['tcp', '10.31.5.2:8001', false],
    ],
  );

  // The first check fails as well; then the second passes: the server is still down, with a single event.
  site.setHealthy('rs2:80', false);
  await eventually('both to fail', async () =>
    (await lvsd.server('shop', '10.31.5.2:80')).checks?.every(({ up }) => !up),
  );
  site.block('rs2', [], undefined);
  await eventually('one to pass', async () => (await lvsd.server('shop', '10.31.5.2:80')).checks?.[1]?.up);
  assert.equal((await lvsd.server('shop', '10.31.5.2:80')).state, 'down');
  assert.ok(!web2In());
  const events = (await lvsd.events()).filter(({ kind }) => kind.startsWith('real_server.'));
  assert.deepEqual(
    events.map(({ server, state }) => `${server} ${state}`),
    ['10.31.5.2 down'],
  );
  await lvsd.logs(/still down: its http check fails as well: status 503/);
  await lvsd.logs(/still down: its tcp check passes again: connected/);

  site.setHealthy('rs2:80', true);
  await until('it to come back', web2In, 20_000);
  const { stdout } = await lvsd.ctl('history', 'shop', '10.31.5.2:80');
  assert.match(
    stdout,
    /tcp check of 10\.31\.5\.2:8001: up .*\n.*[-+]*-[-+]*\n +transitions:\n.* down +connection refused\n.* up /,
  );
  assert.match(stdout, /failures by reason:\n +\d+ +status 503/);
  const brief = await lvsd.ctl('status', '--brief');
  assert.match(brief.stdout, /^shop +tcp 10\.99\.0\.11:80 +up +2, needs 1 +2 of 2 /m);
});
