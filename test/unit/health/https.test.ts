// SPDX-License-Identifier: MIT
// HTTPS checks: accepted and rejected certificates, and other TLS errors.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { createServer, type TlsOptions } from 'node:tls';
import { httpProber } from '../../../src/health/http/prober.ts';
import type { HttpCheck, TlsCheck } from '../../../src/health/http/schema.ts';
import { secureContext } from '../../../src/health/http/trust.ts';
import { closedPort, HTTP, listening, probe, serve, target } from '../../support/probes.ts';
import { authority, certificate, costlyChain, rsaCertificate } from './certificates.ts';

const ca = authority('trusted');
authority('foreign');
const good = certificate('good', 'trusted', 'DNS:shop.example,IP:127.0.0.1');
const expired = certificate('expired', 'trusted', 'DNS:shop.example,IP:127.0.0.1', { expired: true });
const foreign = certificate('other', 'foreign', 'DNS:shop.example,IP:127.0.0.1');

const TLS: TlsCheck = { serverName: undefined, verify: true, ca };

let lastServerName: string | false | undefined;

async function server(options: TlsOptions, answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'): Promise<number> {
  const made = createServer(options, (socket) => {
    lastServerName = (socket as { servername?: string | false }).servername;
    socket.on('error', () => {});
    socket.once('data', () => socket.end(answer));
  });
  made.on('tlsClientError', () => {});
  return listening(made);
}

const check = (port: number, tls: Partial<TlsCheck> = {}, more: Partial<HttpCheck> = {}) =>
  probe(target({ ...HTTP, type: 'https', tls: { ...TLS, ...tls }, ...more }, port));

test('a certificate of a trusted authority is accepted for its address and its name', async () => {
  const port = await server(good);
  assert.equal(await check(port), 'success: status 200');
  assert.equal(lastServerName, false);
  assert.equal(await check(port, {}, { host: 'shop.example:8443' }), 'success: status 200');
  assert.equal(lastServerName, 'shop.example');
  // RFC 6066, section 3: no final dot in SNI.
  lastServerName = undefined;
  assert.equal(await check(port, {}, { host: 'shop.example.:8443' }), 'success: status 200');
  assert.equal(lastServerName, 'shop.example');
  assert.equal(await check(port, { serverName: 'shop.example' }, { host: 'x.example' }), 'success: status 200');
  assert.equal(lastServerName, 'shop.example');
  assert.equal(await check(port, {}, { body: { contains: 'ok' } }), 'success: status 200');
  assert.equal(await check(port, {}, { body: { contains: 'ko' } }), 'failure: body lacks "ko"');
});

test('a certificate for another name is rejected', async () => {
  const port = await server(good);
  assert.equal(
    await check(port, { serverName: 'www.example' }),
    'failure: certificate is for shop.example, 127.0.0.1, not for www.example',
  );
});

test('expired certificates and those of other authorities are rejected, unless verification is off', async () => {
  const [old, strange] = [await server(expired), await server(foreign)];
  assert.equal(await check(old), 'failure: certificate has expired');
  assert.equal(await check(strange), 'failure: unable to verify the first certificate');
  assert.equal(await check(strange, { ca: undefined }), 'failure: unable to verify the first certificate');
  assert.equal(await check(old, { verify: false }), 'success: status 200');
  assert.equal(await check(strange, { verify: false, serverName: 'x.example' }), 'success: status 200');
  assert.equal(lastServerName, 'x.example');
});

test('a status that is not accepted', async () => {
  assert.equal(await check(await server(good, 'HTTP/1.1 500 X\r\n\r\n')), 'failure: status 500, wanted 200-299');
});

test('a server that requires a client certificate', async () => {
  const reason = await check(await server({ ...good, requestCert: true, rejectUnauthorized: true }));
  assert.match(reason, /^failure: (TLS: |closed |connection reset)/);
});

test('alerts, plain HTTP, silence, and early ends of connections', async () => {
  const alert = await serve(
    (socket) => void socket.once('data', () => socket.end(Buffer.from([21, 3, 3, 0, 2, 2, 40]))),
  );
  assert.match(await check(alert), /^failure: TLS: .*alert handshake failure$/);
  const old = await server({ ...good, maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' });
  assert.match(await check(old), /^failure: TLS: .*alert protocol version$/);
  const plain = await serve((socket) => void socket.once('data', () => socket.end('HTTP/1.1 400 Bad\r\n\r\n')));
  assert.equal(await check(plain), 'failure: TLS: wrong version number');
  const silent = await serve(() => {});
  assert.equal(await check(silent, {}, { timeout: 150 }), 'failure: no end of the TLS handshake within 150ms');
  const closing = await serve((socket) => void socket.once('data', () => socket.end()));
  assert.equal(await check(closing), 'failure: closed during the TLS handshake');
  const resetting = await serve((socket) => void socket.once('data', () => socket.resetAndDestroy()));
  assert.equal(await check(resetting), 'failure: connection reset during the TLS handshake');
  assert.equal(await check(await closedPort()), 'failure: connection refused');
  const noAnswer = createServer(good, (socket) => void socket.on('error', () => {}));
  assert.equal(await check(await listening(noAnswer), {}, { timeout: 300 }), 'failure: no answer within 300ms');
});

test('unreadable authorities are inconclusive', async () => {
  const port = await server(good);
  assert.equal(
    await check(port, { ca: '/nowhere/ca.pem' }),
    'inconclusive: the CA certificates in /nowhere/ca.pem cannot be read: no such file or directory (ENOENT)',
  );
});

test('a context is made once for a file of authorities, and again when the file changes', () => {
  const path = authority('renewed');
  const tls = { ...TLS, ca: path };
  const first = secureContext(tls, 0);
  assert.equal(secureContext(tls, 20_000), first);
  copyFileSync(ca, path);
  assert.equal(secureContext(tls, 24_000), first, 'the file is not examined each time');
  const second = secureContext(tls, 26_000);
  assert.notEqual(second, first);
  assert.equal(secureContext(tls, 99_000), second);
  writeFileSync(path, '-----BEGIN CERTIFICATE-----\nnone\n');
  assert.throws(() => secureContext(tls, 120_000), /cannot be read: it is not a PEM file of certificates$/);
  assert.equal(secureContext({ ...tls, verify: false }), secureContext({ ...TLS, verify: false }));
});

test('a server that offers finite-field Diffie-Hellman only is rejected before it costs anything', async () => {
  const rsa = rsaCertificate('rsa');
  const plain = await server({ ...rsa, maxVersion: 'TLSv1.2' });
  assert.equal(await check(plain, { verify: false }), 'success: status 200');
  const port = await server({ ...rsa, maxVersion: 'TLSv1.2', ciphers: 'DHE-RSA-AES128-GCM-SHA256', dhparam: 'auto' });
  assert.match(await check(port, { verify: false }), /^failure: TLS: .*handshake failure/);
});

test('authorities that others can replace, and a file that never ends, are not read', async () => {
  const port = await server(good);
  const copy = `${ca}.copy`;
  const after = (milliseconds: number) => {
    const now = performance.now() + milliseconds;
    try {
      return typeof secureContext({ ...TLS, ca: copy }, now);
    } catch (error) {
      return String(error);
    }
  };
  copyFileSync(ca, copy);
  assert.equal(after(0), 'object');
  chmodSync(copy, 0o666);
  assert.equal(after(6000), `Error: the CA certificates in ${copy} cannot be used: ${copy} is writable by others`);
  const open = `${ca}.open`;
  copyFileSync(ca, open);
  chmodSync(open, 0o666);
  assert.equal(
    await check(port, { ca: open }),
    `inconclusive: the CA certificates in ${open} cannot be used: ${open} is writable by others`,
  );
  rmSync(copy);
  execFileSync('mkfifo', ['-m', '600', copy]);
  assert.equal(after(12_000), `Error: the CA certificates in ${copy} cannot be used: it is not a regular file`);
});

test('a chain of certificates that is too long is refused before its signatures are verified', async () => {
  const port = await server(costlyChain('long', 25));
  for (const verify of [true, false])
    assert.equal(await check(port, { verify }), 'failure: TLS handshake of more than 32 KiB');
});

test('a target whose handshakes are costly waits for CPU time, others do not', async () => {
  const tls = { ...TLS, verify: false };
  const costly = target({ ...HTTP, type: 'https', tls, timeout: 10_000 }, await server(costlyChain('costly', 7)));
  const honest = target({ ...HTTP, type: 'https', tls }, await server(good));
  assert.equal(await probe(costly), 'success: status 200');
  const prober = httpProber(costly.check as HttpCheck);
  const order: string[] = [];
  const run = (name: string, of: typeof costly) => {
    let end = (): void => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const started = prober.start(of, ({ outcome }) => {
      order.push(`${name} ${outcome}`);
      end();
    });
    return { started, ended };
  };
  // Its first connection has told what it costs: the second may start, the third waits for its part of the time.
  await new Promise((resolve) => setTimeout(resolve, 100));
  const [second, third, other] = [run('second', costly), run('third', costly), run('other', honest)];
  assert.equal(third.started.waitsFor, 'CPU time for its costly TLS handshake');
  assert.equal(third.started.startedAt, undefined);
  assert.notEqual(other.started.startedAt, undefined);
  assert.equal(await third.started.late?.(), true);
  await Promise.all([second.ended, other.ended]);
  const last = run('cancelled', costly);
  assert.equal(last.started.startedAt, undefined);
  void last.started.cancel();
  await third.ended;
  assert.equal(order.at(-1), 'third success');
  assert.deepEqual([...order].sort(), ['other success', 'second success', 'third success']);
});

test('renegotiation is refused', async () => {
  let requests = 0;
  let refused = '';
  const made = createServer({ ...good, maxVersion: 'TLSv1.2' }, (socket) => {
    socket.on('error', (error) => {
      refused = error.message;
      socket.destroy();
    });
    socket.on('data', () => {
      requests += 1;
      socket.renegotiate({}, () => {});
    });
  });
  made.on('tlsClientError', () => {});
  assert.match(await check(await listening(made), { verify: false }), /^failure: TLS: /);
  while (refused === '') await new Promise((resolve) => setTimeout(resolve, 10));
  assert.match(refused, /no renegotiation/);
  assert.equal(requests, 1);
});

test('an answer in records of one byte is refused where one in chunks of one byte is', async () => {
  const made = createServer(good, (socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      const more = (error?: Error | null): void => {
        if (!error) socket.write('x', more);
      };
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n', more);
    });
  });
  const port = await listening(made);
  const reason = await check(port, {}, { body: { contains: 'y' }, timeout: 30_000 });
  assert.equal(reason, 'failure: more than 8192 TLS records');
});
