// SPDX-License-Identifier: MIT
// The code of each kind of failure.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { FAILURE_CODES, failureCode } from '../../../src/base/failure-codes.ts';
import { errorVerdict } from '../../../src/health/common/errors.ts';
import { AnswerReader } from '../../../src/health/http/answer.ts';
import { tlsVerdict } from '../../../src/health/http/tls-errors.ts';
import type { Verdict } from '../../../src/health/verdict.ts';
import { loadProbers } from '../../../src/health/worker/probers.ts';
import { EXEC, HTTP, target } from '../../support/probes.ts';

const code = ({ outcome, code }: Verdict) => `${outcome} ${code}`;

test('errors of sockets', () => {
  for (const [errno, expected] of Object.entries({
    ECONNREFUSED: 'failure refused',
    ECONNRESET: 'failure reset',
    EPIPE: 'failure reset',
    ETIMEDOUT: 'failure timeout',
    EHOSTUNREACH: 'failure unreachable',
    ENETUNREACH: 'failure unreachable',
    EPERM: 'failure local',
    EMFILE: 'inconclusive local',
    EADDRNOTAVAIL: 'inconclusive local',
    ENOPROTOOPT: 'failure other',
  }))
    assert.equal(code(errorVerdict(errno)), expected, errno);
});

test('answers', () => {
  const head = 'HTTP/1.1 200 OK\r\n';
  const body = { body: { contains: 'ok' } };
  for (const [answer, expected, check] of [
    ['', 'failure closed', {}],
    [`${head}Content-Length: 9\r\n\r\nabc`, 'failure closed', body],
    [`${head}Content-Length: x\r\n\r\n`, 'failure protocol', {}],
    [`${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n`, 'failure protocol', body],
    ['SSH-2.0-OpenSSH\r\n', 'failure protocol', {}],
    [`${head}X: ${'x'.repeat(40_000)}`, 'failure too_long', {}],
    ['HTTP/1.1 503 Busy\r\n\r\n', 'failure status', {}],
    [`${head}Content-Length: 3\r\n\r\nbad`, 'failure body', body],
    [`${head}\r\n`, 'success undefined', {}],
  ] as const) {
    const found: string[] = [];
    const reader = new AnswerReader({ ...HTTP, ...check }, (one) => found.push('outcome' in one ? code(one) : 'body'));
    reader.push(Buffer.from(answer));
    if (!reader.over) reader.end();
    assert.deepEqual(found, [expected], answer.slice(0, 80));
  }
});

test('TLS', () => {
  const error = (fields: object) => tlsVerdict(Object.assign(new Error('certificate has expired'), fields), 'a', false);
  assert.equal(code(error({ code: 'CERT_HAS_EXPIRED' })), 'failure certificate');
  assert.equal(code(error({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' })), 'failure certificate');
  assert.equal(code(error({ code: 'ERR_SSL', reason: 'wrong version number' })), 'failure tls');
  assert.equal(code(error({ code: 'ECONNRESET', syscall: 'read' })), 'failure reset');
});

test('programs', async () => {
  const prepare = await loadProbers();
  const run = (...command: string[]) =>
    new Promise<string>((resolve) => {
      prepare({ ...EXEC, timeout: 10_000, command }).start(target(EXEC, 1), (verdict) => resolve(code(verdict)));
    });
  assert.equal(await run('/bin/sh', '-c', 'exit 3'), 'failure exit_status');
  assert.equal(await run('/bin/sh', '-c', 'kill -9 $$'), 'failure signal');
  assert.equal(await run('/bin/true'), 'success undefined');
});

test('the page has each code, and a code of another version is another one', () => {
  const page = readFileSync(new URL('../../../docs/health.md', import.meta.url), 'utf8');
  for (const one of FAILURE_CODES) assert.match(page, new RegExp(`^\\| \`${one}\` \\|`, 'm'));
  assert.deepEqual([failureCode('tls'), failureCode('quantum')], ['tls', 'other']);
});
