// SPDX-License-Identifier: MIT
// Without free descriptors probes are inconclusive, and the log reports it once.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ErrorReports } from '../../../src/health/worker/error-reports.ts';
import { serve } from '../../support/probes.ts';

const host = join(dirname(fileURLToPath(import.meta.url)), 'exhausted-host.ts');

test('without free descriptors no target goes down', async () => {
  const port = await serve((socket) => {
    socket.once('data', () => setTimeout(() => socket.end('HTTP/1.1 200 OK\r\n\r\n'), 200));
  }, '0.0.0.0');
  // 200 targets twice a second, 0.2 s each, need 80 sockets at once.
  const line = `ulimit -n 60; exec "${process.execPath}" --import tsx "${host}" ${port}`;
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', line]);
  const { transitions, troubles, probes } = JSON.parse(stdout) as {
    transitions: string[];
    troubles: string[];
    probes: number;
  };
  assert.deepEqual(transitions, []);
  assert.equal(troubles.length, 1);
  assert.match(
    troubles[0] ?? '',
    /^cannot check shop 127\.0\.0\.\d+:\d+, its state is kept: too many open files \(EMFILE\)$/,
  );
  assert.ok(probes > 400, `${probes}`);
});

test('an error is reported once, then counted in growing intervals', () => {
  const lines: string[] = [];
  const reports = new ErrorReports((text) => lines.push(text));
  for (let i = 0; i < 1000; i++) reports.add('too many open files', `shop ${i}`, i);
  assert.deepEqual(lines.splice(0), ['cannot check shop 0, its state is kept: too many open files']);
  reports.flush(9_999);
  assert.deepEqual(lines, []);
  reports.flush(10_000);
  assert.deepEqual(lines.splice(0), ['999 more checks could not be made in 10s, states are kept: too many open files']);
  reports.add('too many open files', 'shop 7', 10_001);
  reports.flush(29_999);
  assert.deepEqual(lines, []);
  reports.flush(30_000);
  assert.deepEqual(lines.splice(0), ['1 more check could not be made in 20s, states are kept: too many open files']);
  reports.flush(70_000);
  reports.add('too many open files', 'shop 8', 70_001);
  assert.equal(lines.splice(0).length, 1, 'reported again after a pause');
  for (let i = 0; i < 10_000; i++) reports.add(`kind ${i}`, 'shop', 70_002);
  assert.equal(lines.length, 100, 'the number of different errors is bounded');
});
