// SPDX-License-Identifier: MIT
// Events and JSON log lines carry the same fields beside their text.
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { EventLog } from '../../../src/control/events/log.ts';
import { checksMessage, overrideMessage, quorumMessage, serverMessage } from '../../../src/daemon/control/messages.ts';
import { Reporter } from '../../../src/daemon/control/reporter.ts';
import { DaemonLog } from '../../../src/daemon/log/log.ts';
import { virtualServices } from '../../../src/daemon/model/virtual-services.ts';
import type { Operation } from '../../../src/plan/index.ts';
import { config, realServer, service } from '../../support/specs.ts';

const virtual = 'tcp 10.99.0.1:80';
const spec = service('web', [realServer(1, { name: 'web1' })], { quorum: 2, hysteresis: 1 });
const [web] = virtualServices(config([spec]));
const [web1] = web?.realServers ?? [];
assert.ok(web && web1);

/** The event and the JSON log line of a report, without times. */
async function reported(report: (reporter: Reporter) => void): Promise<{ event: unknown; line: unknown }> {
  let text = '';
  const stream = new Writable({
    write(chunk, _encoding, next) {
      text += String(chunk);
      next();
    },
  });
  const log = new DaemonLog({ level: 'info', format: 'json', levels: {} }, { stream, journal: false });
  const events = new EventLog();
  report(new Reporter((area) => log.area(area), events));
  await log.flush();
  const without = (value: object | undefined) => {
    const { at: _, sequence: _s, epoch: _e, time: _t, ...rest } = JSON.parse(JSON.stringify(value ?? {}));
    return rest;
  };
  const [event] = events.since();
  if (text === '') return { event: without(event), line: {} };
  // The line names its event, and has no other fields than that.
  const { kind, sequence, ...line } = JSON.parse(text);
  assert.deepEqual([kind, sequence], [event?.kind, event?.sequence]);
  return { event: without(event), line: without(line) };
}

test('a real server that goes down', async () => {
  const transition = {
    id: web1.targets[0]?.id ?? '',
    up: false,
    reason: 'connection refused',
    code: 'refused',
    at: 0,
  } as const;
  const fields = {
    service: 'web',
    virtual,
    server: 'web1',
    address: '10.31.0.1:80',
    state: 'down',
    reason: 'connection refused',
    code: 'refused',
  };
  const { event, line } = await reported((to) => to.server(serverMessage(web, web1, transition), false));
  const text = `${virtual} real server 10.31.0.1:80 (web1) is down: connection refused`;
  assert.deepEqual(event, { kind: 'real_server.down', severity: 'warning', text, ...fields });
  assert.deepEqual(line, { level: 'warn', area: 'health', text: `web: ${text}`, ...fields });
});

test('a quorum', async () => {
  const fields = { service: 'web', virtual, state: 'down', reason: 'weight 0, needs 1', weight: 0, needed: 1 };
  const { event, line } = await reported((to) =>
    to.quorum(quorumMessage({ service: web, up: false, weight: 0 }), false),
  );
  const text = `${virtual} lost its quorum: weight 0, needs 1`;
  assert.deepEqual(event, { kind: 'service.quorum_lost', severity: 'warning', text, ...fields });
  assert.deepEqual(line, { level: 'warn', area: 'health', text: `web: ${text}`, ...fields });
});

test('an override', async () => {
  const { event } = await reported((to) =>
    to.override(overrideMessage({ service: 'web', server: '10.31.0.1:80' }, true), true),
  );
  assert.deepEqual(event, {
    kind: 'real_server.override',
    severity: 'info',
    text: 'real server 10.31.0.1:80 drained by the operator',
    service: 'web',
    address: '10.31.0.1:80',
    state: 'draining',
    reason: 'operator',
  });
});

test('drift', async () => {
  const text = `real server 10.31.0.1:80 of ${virtual} was deleted`;
  const fields = {
    service: 'web',
    virtual,
    address: '10.31.0.1:80',
    state: 'drifted',
    reason: 'changed by another program',
  };
  const { event, line } = await reported((to) =>
    to.drift({ objects: { real_server: 1 }, text, service: web.key, virtual, address: '10.31.0.1:80' }, 'web'),
  );
  assert.deepEqual(event, { kind: 'table.drift', severity: 'warning', text, ...fields });
  assert.deepEqual(line, {
    level: 'warn',
    area: 'kernel',
    text: `changed by another program: ${text}`,
    ...fields,
  });
});

test('an operation that the kernel rejects, and its recovery', async () => {
  const operation: Operation = {
    op: 'add-destination',
    service: web.config,
    name: 'web',
    destination: web1.destination,
  };
  const fields = {
    op: 'add-destination',
    service: 'web',
    virtual,
    address: '10.31.0.1:80',
    state: 'failed',
    reason: 'out of memory',
    attempts: 2,
    delay: 2,
  };
  const rejection = { reason: 'out of memory', attempts: 2, retryIn: 2 };
  const { event, line } = await reported((to) => to.kernelError(operation, rejection));
  const text = `failed: + ${virtual} real server 10.31.0.1:80 forward masquerade, weight 1: out of memory; attempt 2, next one in 2 s`;
  assert.deepEqual(event, { kind: 'service.refused', severity: 'error', text, ...fields });
  assert.deepEqual(line, { level: 'error', area: 'kernel', text: `web: ${text}`, ...fields });
  const once = await reported((to) => to.kernelError(operation, { ...rejection, retryIn: undefined }));
  const { delay: _, ...without } = fields;
  assert.deepEqual(once.event, {
    kind: 'service.refused',
    severity: 'error',
    text: text.replace(/; attempt.*/, ''),
    ...without,
  });
  const recovered = await reported((to) => to.recovered('web'));
  const same = {
    text: 'web: recovered, the kernel accepted the operations',
    service: 'web',
    state: 'recovered',
  };
  assert.deepEqual(recovered.line, { level: 'info', area: 'kernel', ...same });
  assert.deepEqual(recovered.event, { kind: 'service.accepted', severity: 'info', ...same });
  const settings = await reported((to) => to.recovered(undefined));
  assert.deepEqual((settings.event as { kind: string }).kind, 'table.accepted');
});

test('a reload', async () => {
  const fields = { file: '/etc/lvsd/lvsd.yaml', state: 'applied', operations: 3, failed: 0 };
  const { event, line } = await reported((to) => to.reload('reloaded', fields, true));
  assert.deepEqual(event, { kind: 'config.loaded', severity: 'info', text: 'reloaded', ...fields });
  assert.deepEqual(line, { level: 'info', area: 'config', text: 'reloaded', ...fields });
});

test('all health checks stop', async () => {
  const stop = { since: 0, reason: 'the health worker does not respond', restarts: 0 };
  const { event, line } = await reported((reporter) => reporter.checks(checksMessage(stop), false));
  const text = 'health checks have stopped, all states are kept: the health worker does not respond';
  const fields = { text, state: 'not checking', reason: stop.reason };
  assert.deepEqual(event, { kind: 'checks.stopped', severity: 'error', ...fields });
  assert.deepEqual(line, { level: 'error', area: 'health', ...fields });
});
