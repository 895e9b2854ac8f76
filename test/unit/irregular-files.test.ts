// SPDX-License-Identifier: MIT
// Files that the configuration or an operator names, and that are a FIFO, a socket, a folder or a device: nothing waits for
// them, and each has one reason. The readers run in processes of their own, which a waiting open(2) would not let go on.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readRegular } from '../../src/base/regular-file.ts';
import { readPrivateText } from '../../src/base/secret-file.ts';
import { FileEventStore } from '../../src/daemon/state/event-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'lvsd-irregular-'));
const places = {
  fifo: join(folder, 'fifo'),
  socket: join(folder, 'socket'),
  folder: join(folder, 'folder'),
  device: '/dev/zero',
};
type Place = keyof typeof places;
const key = join(folder, 'key');
const server = createServer();

before(async () => {
  execFileSync('mkfifo', ['-m', '700', places.fifo]);
  mkdirSync(places.folder, { mode: 0o700 });
  writeFileSync(key, '', { mode: 0o600 });
  server.listen(places.socket);
  await once(server, 'listening');
});
after(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

const REGULAR = /is not a regular file/;

/** For each reader, code that puts its reason into `found`; `path` is the file's. */
const READERS: Record<string, { code: string; reason?: RegExp; not?: readonly Place[] }> = {
  'web, certificate': {
    code: `const { readSecrets } = await import('./src/web/secrets.ts');
      found = await reason(() => readSecrets({ tls: { certificate: path, key: ${JSON.stringify(key)} } }));`,
  },
  'web, authorities of clients': {
    code: `const { readSecrets } = await import('./src/web/secrets.ts');
      found = await reason(() => readSecrets({ tls: { certificate: ${JSON.stringify(key)}, key: ${JSON.stringify(key)}, clientCa: path } }));`,
  },
  'web, key': {
    code: `const { readSecrets } = await import('./src/web/secrets.ts');
      found = await reason(() => readSecrets({ tls: { certificate: ${JSON.stringify(key)}, key: path } }));`,
  },
  'web, users': {
    code: `const { readSecrets } = await import('./src/web/secrets.ts');
      found = await reason(() => readSecrets({ users: path }));`,
  },
  'configuration, secret': {
    code: `const { NamedFiles } = await import('./src/config/resolve/files.ts');
      found = new NamedFiles().secret(path);`,
    not: ['device'],
  },
  'configuration, users': {
    code: `const { NamedFiles } = await import('./src/config/resolve/files.ts');
      found = new NamedFiles().users(path);`,
    not: ['device'],
  },
  'configuration, certificate': {
    code: `const { NamedFiles } = await import('./src/config/resolve/files.ts');
      found = new NamedFiles().certificate(path, ${JSON.stringify(key)})?.text;`,
    reason: /is not a regular file|is a folder/,
  },
  'configuration, authorities': {
    code: `const { NamedFiles } = await import('./src/config/resolve/files.ts');
      found = new NamedFiles().authorities(path);`,
    reason: /is not a regular file|is a folder/,
  },
  'configuration, program': {
    code: `const { NamedFiles } = await import('./src/config/resolve/files.ts');
      found = new NamedFiles().program(path, undefined);`,
    not: ['device'],
  },
  'configuration itself': {
    code: `const { readTrustedText } = await import('./src/config/text.ts');
      found = readTrustedText(path);`,
    reason: /is not a regular file|is a folder/,
  },
  'secret of SYN cookies': {
    code: `const { readSecretFile } = await import('./src/base/secret-file.ts');
      found = await reason(() => readSecretFile(path));`,
  },
  'authorities of a check': {
    code: `const { secureContext } = await import('./src/health/http/trust.ts');
      found = await reason(() => secureContext({ verify: true, ca: path }));`,
    not: ['device'],
  },
  'program of a check': {
    code: `const { Program } = await import('./src/health/exec/program.ts');
      const run = { command: [path], user: undefined, environment: {}, killDelay: 100 };
      found = await new Promise((done) => new Program({ ...run, done: ({ reason }) => done(reason) }));`,
    not: ['device'],
  },
  'first line of a program': {
    code: `const { needsShell } = await import('./src/base/executable.ts');
      found = needsShell(path) ? 'needs a shell' : 'is not a regular file';`,
  },
  'state file': {
    code: `const { readState } = await import('./src/daemon/state/file.ts');
      found = (await readState(path)).reason;`,
    reason: /is not a regular file|ENXIO|no such device/i,
  },
  'file of overrides': {
    code: `const { readOverrides } = await import('./src/daemon/state/overrides-file.ts');
      found = (await readOverrides(path)).reason;`,
    reason: /is not a regular file|ENXIO|no such device/i,
  },
};

/** The reasons of a reader by place. Undefined for the places after one at which it waited. */
function reasons(code: string, at: Partial<typeof places>): Partial<Record<Place | 'stderr', string>> {
  const program = `
    const reason = async (run) => { try { await run(); return 'accepted'; } catch (error) { return error.message; } };
    for (const [name, path] of Object.entries(${JSON.stringify(at)})) {
      let found;
      ${code}
      console.log(JSON.stringify([name, String(found)]));
    }`;
  const words = ['--import', 'tsx', '--input-type=module', '--eval', program];
  const { stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8', timeout: 30_000 });
  const found = stdout.split('\n').filter((line) => line !== '');
  return { ...Object.fromEntries(found.map((line) => JSON.parse(line) as [Place, string])), ...(stderr && { stderr }) };
}

for (const [name, { code, reason = REGULAR, not = [] }] of Object.entries(READERS))
  test(name, () => {
    // The FIFO last: a reader that waits for it has had the others.
    const { fifo, ...others } = places;
    const found = reasons(code, { ...others, fifo });
    for (const place of Object.keys(places) as Place[]) {
      // Others may write to a device: that is its reason.
      if (!not.includes(place)) assert.match(found[place] ?? 'it waits', reason, `${place}: ${JSON.stringify(found)}`);
      else assert.notEqual(found[place], undefined);
    }
  });

test('a file whose size is not told is read up to its limit', () => {
  assert.deepEqual(readRegular('/proc/self/stat', 4), { wrong: 'has more than 0 MiB' });
  assert.ok(Buffer.isBuffer(readRegular('/proc/self/stat', 1 << 16)));
  assert.deepEqual(readPrivateText('/proc/self/environ', { largest: 4 }), { wrong: 'which is larger than 4 bytes' });
  assert.ok('text' in readPrivateText('/proc/self/environ'));
});

test('older events are those of a regular file', async () => {
  for (const [name, make] of [
    ['fifo', (path: string) => execFileSync('mkfifo', [path])],
    ['folder', (path: string) => mkdirSync(path)],
    ['link', (path: string) => symlinkSync('nowhere', path)],
  ] as const) {
    const directory = join(folder, `events-${name}`);
    mkdirSync(directory);
    make(join(directory, 'previous.ndjson'));
    const store = new FileEventStore(directory, { onProblem: assert.fail });
    const event = { sequence: 1, epoch: store.epoch, at: 1, kind: 'table.drift', severity: 'info', text: 'x' } as const;
    store.append([event]);
    const found = [];
    for await (const one of store.read(0)) found.push(one);
    assert.deepEqual(found, [event], name);
    store.close();
  }
});

test('lvsadm and --secret with a pipe of the shell', () => {
  const code = `const { readSecret } = await import('./src/ipvsadm/secret.ts');
    console.log(Buffer.from(readSecret(process.argv[1])).toString('hex'));`;
  const secret = '00112233445566778899aabbccddeeff';
  const shell = `exec "$0" --import tsx --input-type=module --eval "$1" <(echo ${secret})`;
  const { stdout, stderr } = spawnSync('bash', ['-c', shell, process.execPath, code], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  assert.equal(stdout.trim(), secret, stderr);
});
