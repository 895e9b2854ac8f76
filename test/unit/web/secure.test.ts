// SPDX-License-Identifier: MIT
// `lvsd web` with TLS and users: who gets an answer, how often one may fail, and that it follows settings and files.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { isPassword, readUsers, userLine } from '../../../src/base/password.ts';
import { DEFAULT_WEB, type WebSettings } from '../../../src/base/web-settings.ts';
import { READ_ONLY } from '../../../src/control/methods.ts';
import { WebService } from '../../../src/web/service.ts';
import { Users } from '../../../src/web/users.ts';
import { fakeDaemon } from '../control/daemon.ts';
import { STATS, statsHandler } from '../control/stats.ts';
import { authority, certificate } from '../health/certificates.ts';

const program = new URL('../../../dist/bin/lvsd.cjs', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'lvsd-secure-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const put = (name: string, text: string | Buffer, mode = 0o600): string => {
  const path = join(folder, name);
  writeFileSync(path, text, { mode });
  chmodSync(path, mode);
  return path;
};

const ca = authority('site');
authority('elsewhere');
const own = certificate('lb1', 'site', 'DNS:lb1.example.net,IP:127.0.0.1');
const renewed = certificate('lb1-renewed', 'site', 'DNS:lb1.example.net,IP:127.0.0.1');
const client = certificate('prometheus', 'site', 'DNS:prometheus');
const stranger = certificate('stranger', 'elsewhere', 'DNS:stranger');
const tls = { certificate: put('web.crt', own.cert, 0o644), key: put('web.key', own.key), clientCa: undefined };
const users = put('web.users', `${await userLine('prometheus', 'räght')}\n`);

/** Of lvsd web without settings. */
const DEFAULT_PORT = 5873;

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  return port;
}

/** A daemon with these settings, and `lvsd web` that follows it. */
async function start(given: Partial<WebSettings>) {
  const port = await freePort();
  const state = { settings: { ...DEFAULT_WEB, listen: [`127.0.0.1:${port}`], ...given } as WebSettings };
  const daemon = fakeDaemon(
    { stats: statsHandler(STATS), 'config.summary': () => ({ web: state.settings }) },
    { methods: READ_ONLY },
  );
  const log: string[] = [];
  const service = new WebService({ socket: daemon.path, hosts: [], log: (text) => log.push(text) });
  return {
    ...{ port, state, log, service, path: daemon.path },
    [Symbol.dispose]() {
      service.close();
      daemon.server.close();
    },
  };
}

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

function get(port: number, password?: string, options: RequestOptions = {}, path = '/metrics'): Promise<Answer> {
  const secure = options.protocol !== 'http:';
  const auth = password === undefined ? {} : { auth: `prometheus:${password}` };
  return new Promise((resolve, reject) => {
    const request = (secure ? httpsRequest : httpRequest)(
      { host: '127.0.0.1', port, path, agent: false, ca: spawnSync('cat', [ca]).stdout, ...auth, ...options },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
      },
    );
    request.on('error', reject);
    request.end();
  });
}

test('users get answers over TLS, others and plain HTTP do not', async () => {
  using web = await start({ tls, users, serve: ['metrics'] });
  await web.service.start();
  assert.deepEqual(web.log, [`listening on https://127.0.0.1:${web.port}`]);
  const right = await get(web.port, 'räght');
  assert.equal(right.status, 200);
  assert.match(right.text, /^lvsd_up 1$/m);
  const none = await get(web.port);
  assert.equal(none.status, 401);
  assert.match(none.headers['www-authenticate'] ?? '', /^Basic realm="lvsd"/);
  assert.doesNotMatch(none.text, /lvsd_/);
  assert.equal((await get(web.port, 'wrong')).status, 401);
  assert.equal((await get(web.port, 'räght', { auth: 'somebody:räght' })).status, 401);
  assert.equal((await get(web.port, 'räght', {}, '/events')).status, 404);
  await assert.rejects(get(web.port, 'räght', { protocol: 'http:' }));
  const old = connectTls({
    port: web.port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    maxVersion: 'TLSv1.1' as never,
  });
  const [error] = (await once(old, 'error')) as [NodeJS.ErrnoException];
  assert.match(`${error.code}`, /^ERR_SSL|EPROTO|ECONNRESET/);
});

test('clients with a certificate of the authority get answers, others do not', async () => {
  using web = await start({ tls: { ...tls, clientCa: ca } });
  await web.service.start();
  assert.equal((await get(web.port, undefined, { cert: client.cert, key: client.key })).status, 200);
  await assert.rejects(get(web.port));
  await assert.rejects(get(web.port, undefined, { cert: stranger.cert, key: stranger.key }));
});

test('settings, certificates and users are followed; a mistake in them changes nothing', async () => {
  using web = await start({ tls, users });
  await web.service.start();
  const fingerprint = async () => {
    const socket = connectTls({ port: web.port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const found = socket.getPeerCertificate().fingerprint256;
    socket.destroy();
    return found;
  };
  const first = await fingerprint();
  await web.service.look();
  assert.equal(web.log.length, 1, 'nothing has changed');
  put('web.users', `${await userLine('prometheus', 'another')}\n`);
  put('web.crt', renewed.cert, 0o644);
  put('web.key', renewed.key);
  await web.service.look();
  assert.notEqual(await fingerprint(), first);
  assert.equal((await get(web.port, 'räght')).status, 401);
  assert.equal((await get(web.port, 'another')).status, 200);
  put('web.key', renewed.key, 0o644);
  await web.service.look();
  await web.service.look();
  assert.match(web.log.at(-1) ?? '', /^cannot use .*web\.key, which group or others can read \(chmod 600\)$/);
  assert.equal(web.log.filter((line) => line.startsWith('cannot use')).length, 1);
  assert.equal((await get(web.port, 'another')).status, 200);
  put('web.key', renewed.key);
  const moved = await freePort();
  web.state.settings = { ...web.state.settings, listen: [`127.0.0.1:${moved}`], tls: undefined, users: undefined };
  await web.service.look();
  assert.equal((await get(moved, undefined, { protocol: 'http:' })).status, 200);
  await assert.rejects(get(web.port, 'another'));
});

test('an address that cannot be used leaves the others as they are, and is used as soon as it can', async () => {
  using web = await start({});
  await web.service.start();
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port: taken } = other.address() as AddressInfo;
  const plain = { protocol: 'http:' };
  const stream = connect(web.port, '127.0.0.1');
  await once(stream, 'connect');
  web.state.settings = { ...web.state.settings, listen: [`127.0.0.1:${taken}`] };
  await web.service.look();
  await web.service.look();
  assert.equal(web.log.filter((line) => /in use/.test(line)).length, 1, web.log.join('\n'));
  assert.equal((await get(web.port, undefined, plain)).status, 200);
  web.state.settings = { ...web.state.settings, listen: [`127.0.0.1:${taken}`, `127.0.0.1:${web.port}`] };
  other.close();
  await once(other, 'close');
  await web.service.look();
  for (const port of [taken, web.port]) assert.equal((await get(port, undefined, plain)).status, 200);
  assert.equal(stream.destroyed, false, 'the connection to the address that stays');
  stream.destroy();
});

test('until the daemon has answered, each request asks for its settings first: there may be users in them', async () => {
  const path = join(folder, 'late.sock');
  const port = await freePort();
  const service = new WebService({ socket: path, hosts: [], log: () => {} });
  await service.start();
  assert.match((await get(DEFAULT_PORT, undefined, { protocol: 'http:' })).text, /^lvsd_up 0$/m);
  const settings = { ...DEFAULT_WEB, listen: [...DEFAULT_WEB.listen, `127.0.0.1:${port}`], tls, users };
  const daemon = fakeDaemon(
    { stats: statsHandler(STATS), 'config.summary': () => ({ web: settings }) },
    { methods: READ_ONLY, path },
  );
  try {
    await assert.rejects(get(DEFAULT_PORT, undefined, { protocol: 'http:' }));
    assert.equal((await get(port)).status, 401);
  } finally {
    service.close();
    daemon.server.close();
  }
});

/** `lvsd web` in front of a daemon that answers so for its settings. */
function follow(summary: () => unknown) {
  const daemon = fakeDaemon({ 'config.summary': summary as () => { web?: WebSettings } }, { methods: READ_ONLY });
  const log: string[] = [];
  const service = new WebService({ socket: daemon.path, hosts: [], log: (text) => log.push(text) });
  return {
    ...{ log, service },
    [Symbol.dispose]() {
      service.close();
      daemon.server.close();
    },
  };
}

test('settings of a wrong shape: the default address, and one line in the log', { timeout: 60_000 }, async () => {
  const part = { hosts: [], serve: ['metrics'], insecure: false };
  for (const settings of [{}, { ...part, listen: [5] }, { ...part, listen: ['127.0.0.1:1'], serve: ['x'] }]) {
    using web = follow(() => ({ web: settings }));
    await web.service.start();
    for (let i = 0; i < 2; i++) await web.service.look();
    assert.equal(web.log.length, 2, web.log.join('\n'));
    assert.match(web.log[0] ?? '', /^lvsd sent an answer to config\.summary that/);
    assert.equal(web.log[1], `listening on http://127.0.0.1:${DEFAULT_PORT}`);
  }
});

test('a daemon that hangs at the start is asked for a short time; requests share a question', {
  timeout: 60_000,
}, async () => {
  let asked = 0;
  using web = follow(() => {
    asked++;
    return new Promise(() => {});
  });
  await web.service.start();
  assert.deepEqual([asked, web.log], [1, [`listening on http://127.0.0.1:${DEFAULT_PORT}`]]);
  const answers = await Promise.all(
    [1, 2, 3, 4, 5].map(() => get(DEFAULT_PORT, undefined, { protocol: 'http:' }, '/')),
  );
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  assert.ok(asked < 5, `${asked}`);
});

test('a file below something that is no folder is reported, and what is served stays', async () => {
  using web = await start({ tls, users });
  await web.service.start();
  web.state.settings = { ...web.state.settings, tls: { ...tls, key: join(tls.certificate, 'web.key') } };
  await web.service.look();
  assert.match(web.log.at(-1) ?? '', /^cannot read .*ENOTDIR.*LoadCredential=/);
  assert.equal((await get(web.port, 'another')).status, 200);
});

test('a credential of systemd may be readable by its group, which an access control list makes of it', async () => {
  const credentials = mkdtempSync(join(folder, 'credentials-'));
  copyFileSync(tls.key, join(credentials, 'web.key'));
  process.env.CREDENTIALS_DIRECTORY = credentials;
  try {
    chmodSync(join(credentials, 'web.key'), 0o440);
    using web = await start({ tls, users });
    await web.service.start();
    chmodSync(join(credentials, 'web.key'), 0o444);
    using other = await start({ tls, users });
    await assert.rejects(other.service.start(), /web\.key, which group or others can read/);
  } finally {
    delete process.env.CREDENTIALS_DIRECTORY;
  }
});

test('a file that cannot be used, or an address in use, is an error at the start', async () => {
  const broken: [Partial<WebSettings>, RegExp][] = [
    [{ tls: { ...tls, key: put('shown.key', own.key, 0o644) } }, /shown\.key, which group or others can read/],
    [{ tls: { ...tls, certificate: join(folder, 'nowhere') } }, /cannot read .*nowhere: .*LoadCredential=/],
    [{ tls: { ...tls, key: put('other.key', client.key) } }, /cannot be used for TLS/],
    [{ users: put('wrong.users', 'prometheus:secret\n') }, /wrong\.users:1: not a line of lvsd password$/],
  ];
  for (const [given, message] of broken) {
    using web = await start(given);
    await assert.rejects(web.service.start(), message);
  }
  using first = await start({});
  await first.service.start();
  using second = await start({ listen: [`127.0.0.1:${first.port}`] });
  await assert.rejects(second.service.start(), /cannot listen on http:.*in use/);
});

test('a socket of the service manager that other machines can reach needs TLS and users', async () => {
  using web = await start({ listen: ['systemd'] });
  const passed = createServer().listen(0, '0.0.0.0');
  await once(passed, 'listening');
  const { fd } = (passed as unknown as { _handle: { fd: number } })._handle;
  const run = async () => {
    const words = [`export LISTEN_PID=$$ LISTEN_FDS=1; exec ${process.execPath} ${program} web --socket ${web.path}`];
    const child = spawn('sh', ['-c', ...words], { stdio: ['ignore', 'ignore', 'pipe', fd] });
    let err = '';
    for await (const chunk of child.stderr ?? []) {
      err += String(chunk);
      if (err.includes('listening on')) child.kill('SIGTERM');
    }
    return err;
  };
  assert.match(
    await run(),
    /^lvsd: the socket of the service manager can be reached from other machines: it needs tls/m,
  );
  web.state.settings = { ...web.state.settings, tls, users };
  assert.match(await run(), /listening on the socket of the service manager/);
  passed.close();
});

test('passwords: hashed, few at a time, kept for a minute; an address that fails often has to wait', async () => {
  let now = 0;
  const list = readUsers(await userLine('prometheus', 'right'));
  assert.ok(list instanceof Map);
  const one = new Users(list, () => now);
  const ask = (password: string, remoteAddress = '10.0.0.9') => {
    const authorization = `Basic ${Buffer.from(`prometheus:${password}`).toString('base64')}`;
    return one
      .refusal({ headers: { authorization }, socket: { remoteAddress } } as never)
      .then((refusal) => refusal?.status ?? 200);
  };
  assert.equal(await ask('right'), 200);
  const many = await Promise.all(Array.from({ length: 6 }, (_, index) => ask(`wrong ${index}`)));
  assert.deepEqual(many, [401, 401, 401, 401, 503, 503]);
  for (let i = 0; i < 6; i++) assert.equal(await ask(`again ${i}`), 401);
  assert.equal(await ask('one more'), 429);
  // Known already, and from elsewhere.
  assert.equal(await ask('right'), 200);
  assert.equal(await ask('wrong', '10.0.0.10'), 401);
  now += 61_000;
  assert.equal(await ask('wrong'), 401);
  one.replace(new Map());
  assert.equal(await ask('right', '10.0.0.11'), 401);
});

test('lvsd password prints a line that has the password', async () => {
  const run = (input: string, ...words: string[]) =>
    spawnSync(process.execPath, [program, 'password', ...words], { input, encoding: 'utf8' });
  const { status, stdout, stderr } = run('s3cret word\n', 'ops');
  assert.equal(status, 0, stderr);
  const list = readUsers(`# of monitoring\n\n${stdout}`);
  const user = list instanceof Map ? list.get('ops') : undefined;
  assert.ok(user);
  assert.equal(await isPassword('s3cret word', user), true);
  assert.equal(await isPassword('s3cret', user), false);
  assert.notEqual(run('s3cret word\n', 'ops').stdout, stdout, 'each has a salt of its own');
  // A writer that is later than lvsd, as in a pipe.
  const late = spawn(process.execPath, [program, 'password', 'ops'], { stdio: ['pipe', 'pipe', 'inherit'] });
  setTimeout(() => late.stdin.end('s3cret word\n'), 300);
  const [code] = await once(late, 'exit');
  assert.equal(code, 0);
  for (const [input, ...words] of [['x\n'], ['x\n', 'a:b'], ['\n', 'ops'], ['a\nb\n', 'ops'], ['x\n', 'ops', 'more']])
    assert.equal(run(input ?? '', ...words).status, 2, words.join());
  for (const [line, wrong] of [
    ['ops:secret', 1],
    [`${stdout}${stdout}`, 2],
    [stdout.replace('ln=15', 'ln=30'), 1],
    [stdout.replace('r=8', 'r=99'), 1],
  ] as const)
    assert.equal(readUsers(line), wrong);
});
