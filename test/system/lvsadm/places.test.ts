// SPDX-License-Identifier: MIT
// lab: --stock --uml=plain
// lvsadm in another network namespace, and with CAP_NET_ADMIN as its only privilege.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const top = fileURLToPath(new URL('../../..', import.meta.url));
const NETNS = 'lvsadm-deep';

function run(...words: string[]) {
  const { status, stdout, stderr, error } = spawnSync(words[0] ?? '', words.slice(1), { encoding: 'utf8' });
  if (error) throw error;
  return { status, stdout, stderr };
}
function done(...words: string[]): string {
  const { status, stdout, stderr } = run(...words);
  assert.deepEqual([status, stderr], [0, ''], words.join(' '));
  return stdout;
}
const split = (line: string) => line.split(' ');
/** The table of a namespace, as ipvsadm sees it there. */
const inside = () => done('ip', 'netns', 'exec', NETNS, 'ipvsadm', '-Sn');

let dir = '';
let program = '';
before(() => {
  spawnSync('modprobe', ['ip_vs']);
  done('ipvsadm', '-C');
  done('ip', 'netns', 'add', NETNS);
  // Without any address the kernel treats every real server's address as a broadcast address.
  done('ip', '-n', NETNS, 'link', 'set', 'lo', 'up');
  done('ip', '-n', NETNS, 'address', 'add', '192.0.2.1/32', 'dev', 'lo');
  // A folder that every user may read, wherever the checkout is.
  dir = mkdtempSync('/tmp/lvsadm-places-');
  for (const part of ['dist/bin', 'build/native', 'package.json'])
    cpSync(join(top, part), join(dir, part), { recursive: true });
  done('chmod', '-R', 'a+rX', dir);
  program = join(dir, 'dist/bin/lvsadm.cjs');
});
after(() => {
  rmSync(dir, { recursive: true, force: true });
  done('ip', 'netns', 'del', NETNS);
});

test('--netns NAME and --netns PATH change that namespace only', () => {
  const rules = '-A -t 192.0.2.1:80 -s rr\n-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 3\n';
  for (const place of [NETNS, `/run/netns/${NETNS}`]) {
    const there = (line: string) => done('lvsadm', '--netns', place, ...split(line));
    there('-A -t 192.0.2.1:80 -s rr');
    there('-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 3');
    assert.equal(inside(), rules);
    assert.equal(there('-Sn'), rules);
    assert.equal(there('-Ln'), done('ip', 'netns', 'exec', NETNS, 'ipvsadm', '-Ln'));
    assert.equal(JSON.parse(there('-L --json')).services.length, 1);
    assert.equal(done('ipvsadm', '-Sn'), '');
    there('-C');
    assert.equal(inside(), '');
  }
});

test('a missing namespace is a one-line error', () => {
  assert.deepEqual(run('lvsadm', '--netns', 'nosuch', '-Ln'), {
    status: 1,
    stdout: '',
    stderr: 'cannot enter the network namespace /run/netns/nosuch (ENOENT)\n',
  });
});

/** Runs as the user nobody, with these capabilities only. */
const nobody = (capabilities: string) => [
  ...['setpriv', '--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups', '--no-new-privs'],
  ...['--inh-caps', `-all${capabilities}`, '--ambient-caps', `-all${capabilities}`],
  ...['--bounding-set', `-all${capabilities}`],
];

test('CAP_NET_ADMIN is enough, for ipvsadm as for lvsadm', () => {
  for (const tool of ['ipvsadm', program]) {
    const may = (line: string) => done(...nobody(',+net_admin'), tool, ...split(line));
    may('-A -t 192.0.2.1:80 -s rr');
    may('-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 3');
    assert.match(may('-Ln'), /10\.0\.0\.1:80 +Masq +3/);
    assert.match(done('ipvsadm', '-Ln'), /10\.0\.0\.1:80 +Masq +3/);
    may('-Z');
    may('--set 900 120 300');
    may('-C');
    assert.equal(done('ipvsadm', '-Sn'), '');
  }
});

test('without CAP_NET_ADMIN lvsadm fails as ipvsadm does', () => {
  for (const line of ['-Ln', '-A -t 192.0.2.1:80', '-C', '-Sn', '-L --timeout']) {
    const { status, stdout, stderr } = run(...nobody(''), program, ...split(line));
    const theirs = run(...nobody(''), 'ipvsadm', ...split(line));
    assert.deepEqual({ status, stdout, stderr: stderr.replaceAll('lvsadm', 'ipvsadm') }, theirs, line);
    assert.notEqual(status, 0);
  }
  // ipvsadm accesses the kernel before it checks its arguments, so its run as root is compared.
  assert.deepEqual(run(...nobody(''), program, '-A', '-t', '192.0.2.1'), run('ipvsadm', '-A', '-t', '192.0.2.1'));
});
