// SPDX-License-Identifier: MIT
// The state file: written states are read back; any other file is ignored with a reason.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RuntimeState } from '../../../src/daemon/model/runtime-state.ts';
import { readState, writeState } from '../../../src/daemon/state/file.ts';
import { readSaved } from '../../../src/daemon/state/saved.ts';
import { StateSaver } from '../../../src/daemon/state/saver.ts';
import type { DaemonState } from '../../../src/daemon/state/schema.ts';
import { toState } from '../../../src/daemon/state/snapshot.ts';

const folder = mkdtempSync(join(tmpdir(), 'lvsd-state-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;
const fresh = () => join(folder, `${files++}`, 'state.json');

const STATE: DaemonState = {
  services: ['tcp 10.99.0.10:443', 'fwmark 7'],
  health: [
    {
      id: 'a',
      up: true,
      streak: 0,
      since: 1_700_000_000_000,
      probed: true,
      last: { at: 1_700_000_000_500, ok: true, reason: '', latency: 1.25 },
      probes: 7,
      failures: 1,
    },
    { id: 'b', up: false, streak: 2, since: 5, probed: false, last: undefined, probes: 0, failures: 0 },
    {
      id: 'c',
      up: false,
      streak: 0,
      since: 6,
      probed: true,
      last: { at: 7, ok: false, reason: 'status 503, wanted 200', code: 'status', latency: 2 },
      probes: 1,
      failures: 1,
    },
  ],
  overrides: [{ service: 'shop', server: 'web "1"\n' }],
  quorum: [{ service: 'shop', up: true }],
  leaving: [
    {
      service: 'fwmark 7',
      until: 1_700_000_000_000,
      down: true,
      address: '0a1f0402',
      port: 80,
      method: 0,
      tunnelType: 0,
      tunnelPort: 0,
      tunnelFlags: 0,
    },
  ],
};

async function reasonOf(path: string): Promise<string> {
  const read = await readState(path);
  assert.equal(read.state, undefined);
  return 'reason' in read ? read.reason : '';
}

test('a written state is read back; the file has mode 0600 and no other file is left', async () => {
  const path = fresh();
  const mask = process.umask(0);
  try {
    await writeState(path, STATE);
  } finally {
    process.umask(mask);
  }
  const read = await readState(path);
  assert.ok(read.state);
  // A key without a value is not in JSON.
  assert.deepEqual(JSON.parse(JSON.stringify(read.state)), JSON.parse(JSON.stringify(STATE)));
  assert.ok(read.age < 5000);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(join(path, '..')), ['state.json']);
});

test('a missing file is not an error', async () => {
  assert.deepEqual(await readState(join(folder, 'none')), {
    state: undefined,
    missing: true,
    reason: `ENOENT: no such file or directory, open '${join(folder, 'none')}'`,
  });
});

test('a file with a changed, missing or additional byte is damaged', async () => {
  const path = fresh();
  await writeState(path, STATE);
  const good = readFileSync(path);
  for (let i = 0; i < good.length; i++) {
    const bad = Buffer.from(good);
    bad[i] = (bad[i] ?? 0) ^ 1;
    writeFileSync(path, bad);
    const read = await readState(path);
    // A changed digit of the time may be another valid time; the content must not differ.
    if (read.state) assert.ok(bad.toString().split('\n')[1] === good.toString().split('\n')[1]);
  }
  for (let length = 0; length < good.length; length += 7) {
    writeFileSync(path, good.subarray(0, length));
    assert.match(await reasonOf(path), /not a state file|checksum/);
  }
  writeFileSync(path, Buffer.concat([good, Buffer.from(' ')]));
  assert.equal(await reasonOf(path), 'its checksum is wrong: it is damaged');
  writeFileSync(path, Buffer.concat([good, Buffer.from([0xff])]));
  assert.equal(await reasonOf(path), 'it is not UTF-8');
});

/** Writes a file with a valid checksum. */
function forge(path: string, content: string, header: Record<string, unknown> = {}): void {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
  const sha256 = createHash('sha256').update(content).digest('hex');
  writeFileSync(path, `${JSON.stringify({ lvsd_state: 1, boot, uptime, sha256, ...header })}\n${content}`, {
    mode: 0o600,
  });
}

test('a state of another version, another boot or too old is ignored', async () => {
  const path = join(folder, 'forged');
  const content = JSON.stringify(STATE);
  forge(path, content);
  assert.ok((await readState(path)).state, 'the forged file is valid');
  forge(path, content, { lvsd_state: 2 });
  assert.equal(await reasonOf(path), 'it has version 2, not 1');
  forge(path, content, { boot: '00000000-0000-0000-0000-000000000000' });
  assert.equal(await reasonOf(path), 'it was written before the last boot');
  const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
  forge(path, content, { uptime: uptime - 16 * 60 });
  assert.match(await reasonOf(path), /^it is 96\ds old$/);
  const read = await readState(path, { maxAge: 20 * 60_000 });
  assert.ok(read.state && Math.abs(read.age - 960_000) < 5000);
  forge(path, content, { uptime: null });
  assert.equal(await reasonOf(path), 'it is not a state file');
});

const NEWER = {
  ...STATE,
  settings: [
    { service: 'shop', server: 'web2', kind: 'disable' },
    { service: 'shop', server: 'web3', kind: 'pin', to: 'x' },
  ],
  sysctls: [
    { name: 'expire_nodest_conn', was: 0 },
    { name: 'a_later_one', was: 1 },
  ],
  moreSysctls: [{ name: 'sync_threshold', was: '3 50' }],
  laterField: { a: [1] },
};

test('of the file of a later version, what this one knows is used; the rest is named, and the file kept', async () => {
  const path = fresh();
  mkdirSync(join(path, '..'));
  forge(path, JSON.stringify(NEWER));
  const { saved, notes } = await readSaved({ state: path });
  assert.deepEqual(
    saved.overrides.map(({ server, kind }) => [server, kind]),
    [
      ['web "1"\n', undefined],
      ['web2', 'disable'],
    ],
  );
  assert.deepEqual(saved.services, STATE.services);
  assert.deepEqual(saved.sysctls, [
    { name: 'expire_nodest_conn', was: '0' },
    { name: 'sync_threshold', was: '3 50' },
  ]);
  assert.deepEqual(notes, [
    {
      level: 'warn',
      file: path,
      text: `state file ${path} is of a later version, without effect are: shop web3 (pin)`,
      reason: 'a later version has written it',
    },
  ]);
});

test('a file that was not accepted and cannot be kept is replaced: the new state is saved', async () => {
  const path = fresh();
  mkdirSync(`${path}.ignored/taken`, { recursive: true });
  forge(path, JSON.stringify(NEWER), { lvsd_state: 2 });
  const { saver, log } = saving(path);
  await saver.now();
  await saver.close();
  assert.ok((await readState(path)).state);
  assert.equal(log.length, 1);
  assert.match(
    log[0] ?? '',
    /^error state file that was ignored: cannot be kept as .*\.ignored, and is replaced: EISDIR/,
  );
});

/** A saver of a state file that was not accepted, and what it logs. */
function saving(path: string) {
  const log: string[] = [];
  const saver = new StateSaver({
    path,
    reporter: { log: (_area: string, level: string, text: string) => log.push(`${level} ${text}`) } as never,
    daemon: () => ({ runtime: new RuntimeState(), owned: new Set(), sysctls: { changed: [] } }) as never,
    states: async () => new Map(),
    health: new Map(),
    ignored: true,
  });
  return { saver, log };
}

test('a file that was not accepted is kept beside the new one, once', async () => {
  const path = fresh();
  mkdirSync(join(path, '..'));
  forge(path, JSON.stringify(NEWER), { lvsd_state: 2 });
  const later = readFileSync(path, 'utf8');
  const { notes } = await readSaved({ state: path });
  assert.deepEqual(
    notes.map(({ level, reason }) => [level, reason]),
    [['warn', 'it has version 2, not 1']],
  );
  const { saver, log } = saving(path);
  await saver.now();
  await saver.now();
  await saver.close();
  assert.equal(readFileSync(`${path}.ignored`, 'utf8'), later);
  assert.deepEqual(log, [`warn state file that was ignored: kept as ${path}.ignored`]);
  assert.ok((await readState(path)).state);
  assert.deepEqual(readdirSync(join(path, '..')).sort(), ['state.json', 'state.json.ignored']);
});

test('version 0.2.0 reads what is written: its settings of the kernel are numbers, others are in another field', () => {
  const { sysctls, moreSysctls } = toState(new RuntimeState(), new Set(), new Map(), undefined, [
    { name: 'expire_nodest_conn', was: '0' },
    { name: 'sync_refresh_period', was: '0' },
    { name: 'sync_threshold', was: '3 50' },
  ]);
  assert.deepEqual(sysctls, [{ name: 'expire_nodest_conn', was: 0 }]);
  assert.deepEqual(moreSysctls, [
    { name: 'sync_refresh_period', was: '0' },
    { name: 'sync_threshold', was: '3 50' },
  ]);
});

test('content with a valid checksum that is not a state', async () => {
  const path = join(folder, 'content');
  const [first] = STATE.health;
  const wrong: [content: unknown, reason: string][] = [
    [null, 'state is not an object'],
    [[], 'state is not an object'],
    [{}, 'state.services is not a list'],
    [{ ...STATE, services: [1] }, 'state.services[0] is not a string'],
    [{ ...STATE, health: [first, { ...first, up: 1 }] }, 'state.health[1].up is not a boolean'],
    [{ ...STATE, health: [{ ...first, since: null }] }, 'state.health[0].since is not a number'],
    [{ ...STATE, health: [{ ...first, last: {} }] }, 'state.health[0].last.at is not a number'],
    [{ ...STATE, overrides: [{ service: 'x' }] }, 'state.overrides[0].server is not a string'],
    [{ ...STATE, quorum: {} }, 'state.quorum is not a list'],
    [{ ...STATE, leaving: [{}] }, 'state.leaving[0].service is not a string'],
  ];
  for (const [content, reason] of wrong) {
    forge(path, JSON.stringify(content));
    assert.equal(await reasonOf(path), reason);
  }
  forge(path, '{');
  assert.equal(await reasonOf(path), 'its content is not JSON');
  forge(path, '{"services":[],"health":[],"overrides":[],"quorum":[],"leaving":[],"__proto__":{"x":1},"more":1}');
  assert.deepEqual((await readState(path)).state, { services: [], health: [], overrides: [], quorum: [], leaving: [] });
});

test('files of others, special files and too large files are not read', async () => {
  const path = fresh();
  await writeState(path, STATE);
  chmodSync(path, 0o620);
  assert.equal(await reasonOf(path), 'its group or others may write to it');
  chmodSync(path, 0o600);
  const link = join(folder, 'link');
  symlinkSync(path, link);
  assert.match(await reasonOf(link), /^ELOOP/);
  const pipe = join(folder, 'pipe');
  assert.equal(spawnSync('mkfifo', [pipe]).status, 0);
  assert.equal(await reasonOf(pipe), 'it is not a regular file');
  assert.match(await reasonOf(folder), /not a regular file|EISDIR/);
  truncateSync(path, 200 << 20);
  assert.equal(await reasonOf(path), `it has ${200 << 20} bytes, more than ${128 << 20}`);
  if (process.geteuid?.() !== 0) return;
  truncateSync(path, 10);
  chownSync(path, 12345, 0);
  assert.equal(await reasonOf(path), 'its owner is uid 12345, neither root nor this user');
});

test('of overlapping writes the last one is read', async () => {
  const path = fresh();
  const states = Array.from({ length: 20 }, (_, i) => ({ ...STATE, services: [`${i}`, 'x'.repeat(1e5)] }));
  await Promise.all(states.map((state) => writeState(path, state)));
  assert.equal((await readState(path)).state?.services[0], '19');
});

test('a failed write leaves the old file, and the next one works', async () => {
  const path = fresh();
  await writeState(path, STATE);
  mkdirSync(join(`${path}.new`, 'in-the-way'), { recursive: true });
  await assert.rejects(writeState(path, { ...STATE, services: [] }));
  assert.equal((await readState(path)).state?.services.length, 2);
  rmSync(`${path}.new`, { recursive: true });
  await writeState(path, { ...STATE, services: [] });
  assert.equal((await readState(path)).state?.services.length, 0);
});

test('after a kill during a write the file is complete', async () => {
  const path = fresh();
  const module = new URL('../../../src/daemon/state/file.ts', import.meta.url).pathname;
  const program = `
    import { writeState } from ${JSON.stringify(module)};
    const state = { services: Array.from({ length: 20000 }, (_, i) => 'tcp ' + i), health: [], overrides: [], quorum: [], leaving: [] };
    process.stdin.resume().on('end', () => process.exit());
    for (;;) await writeState(${JSON.stringify(path)}, state);`;
  for (let round = 0; round < 5; round++) {
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
      stdio: ['pipe', 'inherit', 'inherit'],
    });
    while (!existsSync(path)) await sleep(5);
    await sleep(5 + round * 37);
    child.kill('SIGKILL');
    await once(child, 'exit');
    assert.equal((await readState(path)).state?.services.length, 20_000);
  }
  await writeState(path, STATE);
  assert.deepEqual(readdirSync(join(path, '..')), ['state.json'], 'nothing unfinished is left');
});
