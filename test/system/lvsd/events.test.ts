// SPDX-License-Identifier: MIT
// lab: --uml=plain
// The output that a program reads about a real server that goes down and comes up: JSON lines of the log, and `lvsctl events`.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../../../lab/topology.ts';
import { Site } from './site.ts';

let site: Site;
before(() => {
  site = new Site({ name: 'events' });
});
after(() => site?.close());

interface LogLine {
  time: string;
  level: string;
  area: string;
  text: string;
  [field: string]: unknown;
}

test('the log and the events name service, server, address, state and reason in fields of their own', async () => {
  const { lvsd } = site;
  const check = { type: 'http', path: '/healthz', interval: '500ms', timeout: '450ms', rise: 2, fall: 2 };
  const address = { address: '10.99.0.11', port: 80, device: 'vip0' };
  const web = { ...address, check, real_servers: ['10.31.4.2', { address: '10.31.5.2', name: 'web2' }] };
  await lvsd.start({ version: 1, log: { format: 'json' }, services: { web } });
  const rules = () => site.rules().filter((rule) => rule.includes('10.31.5.2:')).length;
  site.setHealthy('rs2:80', false);
  await until('web2 to be out', () => rules() === 0, 20_000);
  site.setHealthy('rs2:80', true);
  await until('web2 to be in', () => rules() === 1, 20_000);
  await lvsd.logs(/web2\) is up/);

  const web2 = { service: 'web', virtual: 'tcp 10.99.0.11:80', server: 'web2', address: '10.31.5.2:80' };
  const expected = [
    { ...web2, state: 'down', reason: 'status 503, wanted 200-299', code: 'status' },
    { ...web2, state: 'up', reason: 'status 200' },
  ];
  const logged = lvsd.log
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LogLine)
    .filter(({ area, server }) => area === 'health' && server !== undefined);
  assert.deepEqual(
    logged.map(({ time, level, area, text, kind, sequence, ...fields }) => fields),
    expected,
  );
  assert.deepEqual(
    logged.map(({ level }) => level),
    ['warn', 'info'],
  );

  const { stdout, status } = await lvsd.ctl('events', '--json');
  assert.equal(status, 0);
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ kind }) => /^real_server\.(up|down)$/.test(String(kind)));
  assert.deepEqual(
    events.map(({ sequence, epoch, at, kind, severity, text, ...fields }) => fields),
    expected,
  );
  // By these a line of the log is found among the events.
  const place = ({ kind, sequence }: Record<string, unknown>) => [kind, sequence];
  assert.deepEqual(logged.map(place), events.map(place));
  await lvsd.stop();
});
