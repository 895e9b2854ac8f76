// SPDX-License-Identifier: MIT
// HTTP checks against servers that write bytes, valid and invalid ones.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import type { HttpCheck } from '../../../src/health/http/schema.ts';
import { closedPort, HTTP, probe, serve, target } from '../../support/probes.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** The verdict on a server that writes `answer` after the request, and then calls `then`. */
async function found(answer: string, then: (socket: Socket) => void = () => {}, check: Partial<HttpCheck> = {}) {
  const port = await serve((socket) => {
    socket.once('data', () => socket.write(answer, () => then(socket)));
  });
  return probe(target({ ...HTTP, timeout: 3000, ...check }, port));
}

const end = (socket: Socket): void => void socket.end();

test('accepted statuses', async () => {
  assert.equal(await found(OK), 'success: status 200');
  assert.equal(await found('HTTP/1.0 204 No Content\r\n\r\n'), 'success: status 204');
  assert.equal(await found('HTTP/1.1 301 \r\n\r\n', end, { status: [[301, 302]] }), 'success: status 301');
  assert.equal(await found('HTTP/1.1 404\r\n\r\n', end, { status: [[404, 404]] }), 'success: status 404');
});

test('other statuses', async () => {
  assert.equal(await found('HTTP/1.1 503 Busy\r\n\r\n'), 'failure: status 503, wanted 200-299');
  const status = [[200, 200] as const, [300, 399] as const];
  assert.equal(await found('HTTP/1.1 204 X\r\n\r\n', end, { status }), 'failure: status 204, wanted 200, 300-399');
});

test('interim responses are skipped', async () => {
  assert.equal(
    await found(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n${OK}`),
    'success: status 200',
  );
});

test('bodies by length, in chunks, and up to the end of the connection', async () => {
  const body = { contains: 'all is well' };
  const text = 'we find that all is well here';
  const chunked =
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb;x=y\r\nwe find tha\r\n12\r\nt all is well here\r\n0\r\n\r\n';
  assert.equal(
    await found(`HTTP/1.1 200 OK\r\nContent-Length: 29\r\n\r\n${text}`, undefined, { body }),
    'success: status 200',
  );
  assert.equal(await found(chunked, undefined, { body }), 'success: status 200');
  assert.equal(await found(`HTTP/1.0 200 OK\r\n\r\n${text}`, end, { body }), 'success: status 200');
  const lacks = { body: { contains: 'all is "lost"\n' } };
  assert.equal(await found(chunked, undefined, lacks), 'failure: body lacks "all is "lost"\\n"');
  assert.equal(await found(`HTTP/1.1 200 OK\r\n\r\n${text}`, end, lacks), 'failure: body lacks "all is "lost"\\n"');
  assert.equal(await found('HTTP/1.1 204 X\r\n\r\n', undefined, { body }), 'failure: body lacks "all is well"');
});

test('the check ends as soon as the text is found, even in an endless body', async () => {
  const endless = (socket: Socket): void => {
    const timer = setInterval(() => socket.write('data: all is well\n\n'), 10);
    socket.on('close', () => clearInterval(timer));
  };
  assert.equal(
    await found('HTTP/1.1 200 OK\r\n\r\n', endless, { body: { contains: 'well\n\ndata' } }),
    'success: status 200',
  );
});

test('only the first 256 KiB of a body count', async () => {
  const before = 'x'.repeat((256 << 10) - 4);
  const body = { contains: 'word' };
  assert.equal(await found(`HTTP/1.1 200 OK\r\n\r\n${before}word`, undefined, { body }), 'success: status 200');
  assert.equal(await found(`HTTP/1.1 200 OK\r\n\r\n${before}.word`, undefined, { body }), 'failure: body lacks "word"');
});

test('bodies by regular expression', async () => {
  const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nlag: 12 ms\r\n';
  assert.equal(await found(answer, undefined, { body: { matches: '^lag: \\d{1,2} ms' } }), 'success: status 200');
  assert.equal(
    await found(answer, undefined, { body: { matches: '^lag: \\d ms' } }),
    'failure: body does not match /^lag: \\d ms/',
  );
});

test('a server cannot imitate the escapes of what it sends', async () => {
  assert.equal(await found('\\033[31m\\n \x1b[2J\r\n'), 'failure: answer is not HTTP/1: "\\\\033[31m\\\\n \\x1b[2J"');
});

test('silent, slow and endless answers fail at the deadline', async () => {
  const brief = { timeout: 250 };
  assert.equal(await found('', undefined, brief), 'failure: no answer within 250ms');
  assert.equal(await found('HTTP/1.1 200 OK\r\nX: ', undefined, brief), 'failure: no end of the header within 250ms');
  const drip = (socket: Socket): void => {
    const timer = setInterval(() => socket.write('y'), 20);
    socket.on('close', () => clearInterval(timer));
  };
  assert.equal(await found('HTTP/1.1 200 OK\r\nX: ', drip, brief), 'failure: no end of the header within 250ms');
  const body = { contains: 'ok' };
  const dripping = await found('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n', drip, { ...brief, body });
  assert.equal(dripping, 'failure: no end of the answer within 250ms');
});

test('connections that end too early', async () => {
  const body = { contains: 'ok' };
  assert.equal(await found('', end), 'failure: closed without an answer');
  assert.equal(await found('', (socket) => socket.resetAndDestroy()), 'failure: connection reset');
  assert.equal(await found('HTTP/1.1 200 OK\r\n', end), 'failure: closed in the middle of the header');
  assert.equal(
    await found('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnot', end, { body }),
    'failure: closed after 3 of 9 bytes of the body',
  );
  assert.equal(
    await found('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nno', end, { body }),
    'failure: closed in the middle of the body',
  );
  assert.equal(await probe(target(HTTP, await closedPort())), 'failure: connection refused');
});

test('an answer counts even if a reset follows because the request was not read', async () => {
  for (let i = 0; i < 50; i++) {
    const port = await serve((socket) => {
      socket.pause();
      // Closing with unread data causes a reset.
      socket.write(OK, () => setTimeout(() => socket.resetAndDestroy(), i % 5));
    });
    assert.equal(await probe(target(HTTP, port)), 'success: status 200');
    assert.equal(await probe(target({ ...HTTP, body: { contains: 'ok' } }, port)), 'success: status 200');
  }
});

test('a server that writes header and body apart is not reset, and closes first', async () => {
  const errors: string[] = [];
  for (const check of [HTTP, { ...HTTP, body: { contains: 'be' } }]) {
    const closed = new Promise<void>((resolve) => {
      void serve((socket) => {
        socket.on('error', (error: NodeJS.ErrnoException) => errors.push(`${error.code}`));
        socket.on('close', () => resolve());
        socket.once('data', () => {
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nbegin');
          setTimeout(() => socket.write('n-end'), 100);
          setTimeout(() => socket.end(), 200);
        });
      }).then(async (port) => assert.equal(await probe(target(check, port)), 'success: status 200'));
    });
    await closed;
  }
  assert.deepEqual(errors, []);
});

test('a server that continues after the verdict is reset within bounds', async () => {
  const endless = (write: (socket: Socket) => void) =>
    new Promise<number>((resolve) => {
      const begun = performance.now();
      void serve((socket) => {
        socket.on('error', () => {});
        socket.on('close', () => resolve(performance.now() - begun));
        socket.once('data', () => {
          socket.write('HTTP/1.1 200 OK\r\n\r\n');
          write(socket);
        });
      }).then((port) => probe(target(HTTP, port)));
    });
  const flood = (socket: Socket): void => {
    if (!socket.destroyed) socket.write(Buffer.alloc(16 << 10), () => setImmediate(() => flood(socket)));
  };
  // By the number of bytes, much sooner than by time.
  assert.ok((await endless(flood)) < 900);
  assert.ok((await endless(() => {})) < 3000);
});

/** First lines, and whether curl 7.88 takes them. */
const STATUS_LINES: readonly (readonly [string, boolean])[] = [
  ['HTTP/1.1  200 OK', true],
  ['http/1.1 200 OK', true],
  ['Http/1.0 200', true],
  ['HTTP/2 200', true],
  ['HTTP/2.0 200 OK', true],
  ['HTTP/1.1 200\tOK', true],
  ['HTTP/1.1\t200 OK', false],
  ['HTTP/3 200', false],
  ['HTTP/1.1 2000', false],
  ['HTTP/1.1 20', false],
  ['HTTP/1.12 200 OK', false],
  ['HTTP/1 200 OK', false],
  ['ICY 200 OK', false],
  ['HTTP/1.1200 OK', false],
  [' HTTP/1.1 200 OK', false],
];

test('status lines that curl takes are taken, and no others', async () => {
  for (const [line, taken] of STATUS_LINES) {
    const wanted = taken ? 'success: status 200' : `failure: answer is not HTTP/1: "${line.replace('\t', '\\t')}"`;
    assert.equal(await found(`${line}\r\nContent-Length: 2\r\n\r\nok`), wanted, line);
  }
  assert.equal(await found('HTTP/1.1  503 Busy\r\n\r\n'), 'failure: status 503, wanted 200-299');
});

test('answers that are not HTTP, malformed or too long', async () => {
  assert.equal(await found('SSH-2.0-x\x1b[31m\r\n'), 'failure: answer is not HTTP/1: "SSH-2.0-x\\x1b[31m"');
  assert.equal(await found(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(40_000)}`), 'failure: header of more than 32 KiB');
  assert.equal(await found('HTTP/1.1 100 Continue\r\n\r\n'.repeat(2000)), 'failure: header of more than 32 KiB');
  const body = { contains: 'ok' };
  const framed = (header: string, rest = '') =>
    found(`HTTP/1.1 200 OK\r\n${header}\r\n\r\n${rest}`, undefined, { body });
  assert.equal(await framed('Content-Length: 2\r\nContent-Length: 3'), 'failure: malformed Content-Length');
  assert.equal(await framed('Content-Length: -2'), 'failure: malformed Content-Length');
  assert.equal(await framed('Transfer-Encoding: gzip, chunked'), 'failure: unsupported transfer coding');
  assert.equal(await framed('Transfer-Encoding: chunked', 'zz\r\n'), 'failure: malformed chunk');
  assert.equal(await framed('Transfer-Encoding: chunked', '1\r\nxy\r\n'), 'failure: malformed chunk');
  assert.equal(await framed('Transfer-Encoding: chunked', `1;${'x'.repeat(2000)}`), 'failure: malformed chunk');
  assert.equal(await framed('Transfer-Encoding: chunked', '1\r\nx\r\n'.repeat(9000)), 'failure: more than 8192 chunks');
  const wide = `1;${'x'.repeat(1000)}\r\nx\r\n`.repeat(300);
  assert.equal(await framed('Transfer-Encoding: chunked', wide), 'failure: chunk sizes of more than 256 KiB');
});

test('requests byte for byte', async () => {
  const seen = async (check: Partial<HttpCheck>, address = '127.0.0.1') => {
    let request = '';
    const port = await serve((socket) => {
      socket.on('data', (bytes) => {
        request += bytes.toString('latin1');
        if (request.includes('\r\n\r\n')) socket.end(OK);
      });
    }, address);
    assert.equal(await probe(target({ ...HTTP, ...check }, port, address)), 'success: status 200');
    return request.replaceAll(String(port), 'PORT');
  };
  const tail = 'User-Agent: lvsd\r\nAccept: */*\r\nAccept-Encoding: identity\r\n';
  assert.equal(await seen({}), `GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n${tail}Connection: close\r\n\r\n`);
  assert.equal(await seen({}, '::1'), `GET / HTTP/1.1\r\nHost: [::1]:PORT\r\n${tail}Connection: close\r\n\r\n`);
  assert.equal(
    await seen({
      method: 'POST',
      path: '/a?b',
      host: 'shop.example',
      headers: [
        ['X-Name', 'M\xfcller'],
        ['connection', 'x'],
      ],
    }),
    `POST /a?b HTTP/1.1\r\nHost: shop.example\r\n${tail}Content-Length: 0\r\nX-Name: M\xfcller\r\nConnection: close\r\n\r\n`,
  );
  const long = 'x'.repeat(200_000);
  const request = await seen({
    headers: [
      ['user-agent', 'me'],
      ['X', long],
    ],
  });
  assert.ok(!request.includes('lvsd') && request.includes(`user-agent: me\r\nX: ${long}\r\n`));
});
