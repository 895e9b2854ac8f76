// SPDX-License-Identifier: MIT
// A file of rules without a kernel: the resulting table, and errors in its lines.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Lookup } from '../../../../src/ipvsadm/lookup.ts';
import { tableOf } from '../../../../src/ipvsadm/rules/file.ts';

const read = (text: string) => tableOf(text, { lookup: new Lookup(), program: 'lvsadm' });

for (const [name, text, problems] of [
  ['a service twice', '-A -t 192.0.2.1:80\n\n-A -t 192.0.2.1:80', [[3, 'Service already exists (line 1)']]],
  ['a server of no service', '-a -t 192.0.2.1:80 -r 10.0.0.1', [[1, 'Service not defined']]],
  [
    'a server twice',
    '-A -f 1\n-a -f 1 -r 10.0.0.1:1\n-a -f 1 -r 10.0.0.1:1',
    [[3, 'Destination already exists (line 2)']],
  ],
  [
    'a change of nothing',
    '-A -f 1\n-e -f 1 -r 10.0.0.1:1\n-E -f 2',
    [
      [2, 'No such destination'],
      [3, 'No such service'],
    ],
  ],
  [
    'commands that print',
    '-L\n-S\n-R',
    [
      [1, '--list is not allowed in a file of rules'],
      [2, '--save is not allowed in a file of rules'],
      [3, '--restore is not allowed in a file of rules'],
    ],
  ],
  ['no command', 'foo bar', [[1, "`foo bar' is not a rule"]]],
  ['thresholds', '-A -f 1\n-a -f 1 -r 10.0.0.1 -x 1 -y 2', [[2, 'the lower threshold is above the upper one']]],
  ['multicast', '-A -f 1\n-a -f 1 -r 224.0.0.1', [[2, 'the address of a real server must be a unicast one']]],
  [
    'a local address twice',
    '-A -f 1\n-P -f 1 -z 10.0.0.1\n-P -f 1 -z 10.0.0.1',
    [[3, 'Local address already exists (line 2)']],
  ],
  ['a remark and blanks', '# hello\n   \n\t# more\n', []],
  ['a name before each rule', 'ipvsadm -A -f 1\nlvsadm -A -f 2', []],
] as [string, string, [number, string][]][])
  test(name, async () => {
    const found = (await read(text)).problems.map(({ line, reason }) => [line, reason]);
    assert.deepEqual(found, problems);
  });

test('rules are applied in order: edits, deletions and a flush', async () => {
  const { table, problems } = await read(
    '-A -f 9\n-C\n-A -f 1 -s rr\n-E -f 1 -s wrr\n-a -f 1 -r 10.0.0.1:1\n-a -f 1 -r 10.0.0.2:1 -m\n-e -f 1 -r 10.0.0.1:1 -w 7\n-d -f 1 -r 10.0.0.2:1\n-A -f 2\n-D -f 2\n' +
      '-P -f 1 -z 10.1.0.1\n-P -f 1 -z 10.1.0.2\n-Q -f 1 -z 10.1.0.1\n--set 1 0 3\n--set 0 2 0\n--start-daemon master\n--stop-daemon backup\n',
  );
  assert.deepEqual(problems, []);
  const [service, ...others] = table.services;
  assert.deepEqual(others, []);
  assert.equal(service?.scheduler, 'wrr');
  assert.deepEqual(
    service?.destinations.map(({ weight }) => weight),
    [7],
  );
  assert.deepEqual(
    service?.localAddresses.map((address) => [...address]),
    [[10, 1, 0, 2]],
  );
  assert.deepEqual(table.timeouts, { tcp: 1, tcpFin: 2, udp: 3 });
  assert.equal(table.daemons.get('backup'), 'stopped');
  assert.equal(table.needsFullnat, true);
});

const dir = mkdtempSync(join(tmpdir(), 'lvsd-rules-'));
after(() => rmSync(dir, { recursive: true, force: true }));
const program = join(fileURLToPath(import.meta.url), '../../../../../src/bin/lvsadm.ts');

test('one invalid line in 10,000 is reported before the kernel is accessed', () => {
  const lines = Array.from({ length: 10_000 }, (_, i) => `-A -f ${i + 1} -s rr`);
  lines[6_283] = '-A -f 6284 -s rr --wieght 3';
  const file = join(dir, 'rules');
  writeFileSync(file, lines.join('\n'));
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', program, 'restore', '--atomic', file],
    { encoding: 'utf8' },
  );
  assert.deepEqual(
    { status, stdout, stderr },
    { status: 2, stdout: '', stderr: `${file}:6284: --wieght: unknown option\nnothing was changed\n` },
  );
});

test('errors are listed up to a hundred', () => {
  const file = join(dir, 'worse');
  writeFileSync(file, 'x\n'.repeat(150));
  const { status, stderr } = spawnSync(process.execPath, ['--import', 'tsx', program, 'diff', file], {
    encoding: 'utf8',
  });
  assert.equal(status, 2);
  const lines = stderr.trimEnd().split('\n');
  assert.equal(lines.length, 101);
  assert.deepEqual(lines.slice(100), ['50 more errors']);
});

test('an edit keeps local ports and SYN proxy unless it names them', async () => {
  const service = async (rules: string) =>
    (await read(`-A -f 1 --local-ports 5000-5999 -j enable\n${rules}`)).table.services[0];
  const { scheduler, portMin, portMax, synProxy } = (await service('-E -f 1 -s rr')) ?? assert.fail();
  assert.deepEqual([scheduler, portMin, portMax], ['rr', 5000, 5999]);
  assert.deepEqual(synProxy, { enabled: true });
  assert.deepEqual((await service('-E -f 1 -j disable'))?.synProxy, { enabled: false });
});

test('an edit keeps the defence unless it names it', async () => {
  const { table } = await read('-A -t 192.0.2.1:80 --defence drop-strays\n-E -t 192.0.2.1:80 -s rr');
  assert.equal(table.needsDefence, true);
  assert.equal(table.services[0]?.defence?.dropStrays, true);
  const ended = (await read('-A -t 192.0.2.1:80 --defence drop-strays\n-E -t 192.0.2.1:80 --defence none')).table;
  assert.equal(ended.needsDefence, false);
});
