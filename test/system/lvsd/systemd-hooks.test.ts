// SPDX-License-Identifier: MIT
// lab: --stock
// Hooks under examples/lvsd.service and a real systemd: their rights, environment and descriptors in its sandbox.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Machine } from './systemd-machine.ts';
import { UNIT } from './systemd-unit.ts';

const OUT = '/var/log/lvsd-hooks';
const HOOK = '/etc/lvsd/hook';
/** Writes what it finds to a file named after its service. */
const SCRIPT = `#!/bin/sh
ls -l /proc/$$/fd >${OUT}/descriptors-$LVSD_SERVICE
logger -t lvsd-hook "$LVSD_SERVICE $LVSD_STATE"
touch ${OUT}/../elsewhere 2>&1 | sed 's/.*: //' >${OUT}/refused-$LVSD_SERVICE
{
  echo "$LVSD_EVENT $LVSD_STATE $LVSD_SERVICE $LVSD_SERVER $LVSD_REASON"
  echo "$(id -un) $(id -G) $(umask)"
  sed -n 's/^\\(CapEff\\|CapBnd\\|NoNewPrivs\\|Seccomp\\):[[:space:]]*/\\1 /p' /proc/$$/status
  env | sed 's/=.*//' | grep -v '^\\(PWD\\|OLDPWD\\|SHLVL\\|_\\)$' | sort | tr '\\n' ' '
  echo
} >${OUT}/new-$LVSD_SERVICE
mv ${OUT}/new-$LVSD_SERVICE ${OUT}/$LVSD_SERVICE
`;
const hooked = (address: string, more: object) => ({
  address,
  port: 80,
  hooks: { down: [HOOK], timeout: '1m', ...more },
  real_servers: [{ address: '127.0.0.1', port: 8084, check: { type: 'tcp', interval: '1s', fall: 1 } }],
});
const CONFIG = {
  version: 1,
  services: { asroot: hooked('10.99.0.11', {}), asnobody: hooked('10.99.0.12', { user: 'nobody' }) },
};
const WORDS =
  'LVSD_ADDRESS LVSD_EVENT LVSD_PORT LVSD_REASON LVSD_SERVER LVSD_SERVER_WEIGHT LVSD_SERVICE LVSD_SKIPPED LVSD_STATE LVSD_TIME LVSD_VIRTUAL PATH ';

/** Service, user and groups, and effective capabilities. */
const HOOKS = [
  // CAP_KILL 5, CAP_SETGID 6, CAP_SETUID 7, CAP_NET_ADMIN 12, CAP_NET_RAW 13.
  ['asroot', 'root 0', '00000000000030e0'],
  ['asnobody', 'nobody 65534', '0000000000000000'],
] as const;

let machine: Machine;
const read = (name: string) => machine.run('cat', `${OUT}/${name}`).stdout;
/** Targets of the links in a listing of /proc/PID/fd. */
const links = (listing: string) => [...listing.matchAll(/ -> (.+)$/gm)].map(([, target = '']) => target);

before(async () => {
  mkdirSync('/etc/lvsd', { recursive: true });
  writeFileSync(HOOK, SCRIPT, { mode: 0o755 });
  mkdirSync(OUT, { recursive: true });
  chmodSync(OUT, 0o1777);
  writeFileSync('/etc/lvsd/lvsd.yaml', JSON.stringify(CONFIG));
  const writable = `[Service]\nReadWritePaths=${OUT}\n`;
  machine = await Machine.boot('lvsd.service', { ...UNIT, 'lvsd.service.d/hooks.conf': writable });
  for (const [service] of HOOKS) {
    const done = () => machine.run('test', '-e', `${OUT}/${service}`).status === 0;
    // An emulated CPU takes half a minute to start lvsd and three programs.
    await machine.until(`the hook of ${service}`, done, 180_000);
  }
});
after(() => {
  process.stderr.write(machine.run('journalctl', '-u', 'lvsd', '-o', 'cat', '--no-pager').stdout);
  machine.off();
});

test('a hook has the facts and the sandbox: as root without its rights, or as its user', () => {
  for (const [service, user, effective] of HOOKS)
    assert.deepEqual(read(service).split('\n'), [
      `server down ${service} 127.0.0.1:8084 connection refused`,
      `${user} 0077`,
      `CapEff ${effective}`,
      'CapBnd 00000000000030e0',
      'NoNewPrivs 1',
      'Seccomp 2',
      WORDS,
      '',
    ]);
});

test('a hook can write what the unit names, and to the journal, and nothing else', () => {
  const logged = machine.run('journalctl', '-t', 'lvsd-hook', '-o', 'cat', '--no-pager').stdout;
  for (const [service] of HOOKS) {
    assert.equal(read(`refused-${service}`), 'Read-only file system\n');
    assert.match(logged, new RegExp(`^${service} down$`, 'm'));
  }
});

test('a hook has /dev/null, its two outputs and its script open, and no descriptor of lvsd', () => {
  const pids = machine.run('pgrep', '-f', 'health.cjs|exec.cjs|lvsd run').stdout.trim().split('\n');
  assert.equal(pids.length, 3, 'lvsd, health worker and exec helper');
  const theirs = new Set(pids.flatMap((pid) => links(machine.run('ls', '-l', `/proc/${pid}/fd`).stdout)));
  assert.ok([...theirs].some((link) => link.startsWith('socket:')));
  for (const [service] of HOOKS) {
    const own = links(read(`descriptors-${service}`));
    // The shell has its script, the listing that it writes, and copies of descriptors.
    const shells = ['/dev/null', HOOK, `${OUT}/descriptors-${service}`];
    const distinct = [...new Set(own)].filter((link) => !shells.includes(link));
    assert.ok(own.includes('/dev/null'));
    assert.deepEqual(
      distinct.map((link) => link.replace(/\d+/, 'N')),
      ['socket:[N]', 'socket:[N]'],
    );
    assert.deepEqual(
      distinct.filter((link) => theirs.has(link)),
      [],
    );
  }
});
