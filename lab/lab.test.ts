// SPDX-License-Identifier: MIT
// The lab's contract (docs/lab.md), checked on real runs.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const top = join(fileURLToPath(import.meta.url), '../..');
const scratch = mkdtempSync(join(tmpdir(), 'lvsd-labtest-'));
after(() => rmSync(scratch, { recursive: true, force: true }));
const inScratch = (name: string) => join(scratch, name);

interface Lab {
  child: ChildProcess;
  ended: Promise<{ status: number | null; stdout: Buffer; stderr: string }>;
  stderr: () => string;
}

function start(args: string[], options: { cwd?: string; env?: Record<string, string> } = {}): Lab {
  const child = spawn(process.execPath, [join(top, 'tools/lab.mjs'), '--stock', ...args], {
    cwd: options.cwd ?? top,
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const stdout: Buffer[] = [];
  let stderr = '';
  child.stdout.on('data', (data: Buffer) => stdout.push(data));
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const ended = once(child, 'close').then(([status]) => ({ status, stdout: Buffer.concat(stdout), stderr }));
  return { child, ended, stderr: () => stderr };
}

async function heard(lab: Lab, pattern: RegExp): Promise<void> {
  while (!pattern.test(lab.stderr())) {
    assert.equal(lab.child.exitCode, null, `ended without saying ${pattern}: ${lab.stderr()}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

test('streams, status, folder, environment and files of one command', async () => {
  const here = inScratch('here');
  const out = inScratch('out');
  mkdirSync(here);
  writeFileSync(
    join(here, 'script'),
    `echo to stderr >&2
     echo "cwd=$(pwd) user=$(id -u) colour=$COLOUR_OF_TEST stdin=$(cat | wc -c)"
     echo "module=$(modinfo -n ip_vs) fd=$(readlink /dev/fd) kernel=$(uname -r)"
     modprobe ip_vs; ls -d /sys/module/ip_vs; ipvsadm -Ln | head -1
     echo lost > ${here}/lost; echo lost > /etc/lvsd-lost; echo kept > $LAB_OUT/kept; touch /share 2>/dev/null
     head -c 5000000 /dev/zero; head -c 70000 /dev/zero | tr '\\0' e >&2
     sleep 1000 &
     exit 7`,
  );
  const env = { COLOUR_OF_TEST: 'deep blue', LAB_OUT: out };
  const { status, stdout, stderr } = await start(['--', 'sh', './script'], { cwd: here, env }).ended;
  assert.equal(status, 7, stderr);
  const lines = stdout.subarray(0, stdout.indexOf(0)).toString().split('\n');
  assert.equal(lines[0], `cwd=${here} user=0 colour=deep blue stdin=0`);
  assert.match(
    lines[1] ?? '',
    /^module=\/lib\/modules\/(6\.1\S+)\/kernel\/net\S+ip_vs.ko fd=\/proc\/self\/fd kernel=\1$/,
  );
  assert.equal(lines[2], '/sys/module/ip_vs');
  assert.match(lines[3] ?? '', /^IP Virtual Server version/);
  assert.equal(stdout.length - stdout.indexOf(0), 5_000_000, 'every byte of a large output');
  assert.ok(stderr.includes('to stderr\n') && stderr.includes('e'.repeat(70_000)), 'stderr stays apart');
  assert.ok(!existsSync(join(here, 'lost')) && !existsSync('/etc/lvsd-lost'), 'nothing is written to the host');
  assert.equal(readFileSync(join(out, 'kept'), 'utf8'), 'kept\n');
});

test('--uml runs the debug kernel under the same contract', async () => {
  const out = inScratch('uml-out');
  mkdirSync(out);
  const script = `
    echo to stderr >&2; uname -r; modprobe ip_vs; ls -d /sys/module/ip_vs; grep -o 'debug_locks: *1' /proc/lockdep_stats
    echo lost > /etc/lvsd-lost; echo kept > $LAB_OUT/kept
    mkdir /root-of-host; mount -t hostfs none /root-of-host -o /host && echo lost > /root-of-host/etc/lvsd-lost
    head -c 1000000 /dev/zero; exit 7`;
  const { status, stdout, stderr } = await start(['--uml', '--', 'sh', '-c', script], { env: { LAB_OUT: out } }).ended;
  assert.equal(status, 7, stderr);
  const [release, module, locks] = stdout.subarray(0, stdout.indexOf(0)).toString().split('\n');
  assert.match(release ?? '', /^6\.1\.\d+-uml$/);
  assert.equal(module, '/sys/module/ip_vs');
  assert.match(locks ?? '', /^debug_locks: +1$/);
  assert.equal(stdout.length - stdout.indexOf(0), 1_000_000, 'every byte of the output');
  assert.match(stderr, /to stderr\n/);
  assert.ok(!existsSync('/etc/lvsd-lost'), 'nothing is written to the host');
  assert.equal(readFileSync(join(out, 'kept'), 'utf8'), 'kept\n');
});

test('--uml=plain is the same kernel without debugging aids', async () => {
  const script = 'uname -r; modprobe ip_vs && ls -d /sys/module/ip_vs; ls -d /proc/lockdep_stats /sys/kernel/debug';
  const { stdout, stderr } = await start(['--uml=plain', '--', 'sh', '-c', script]).ended;
  assert.match(stdout.toString(), /^6\.1\.\d+-uml\n\/sys\/module\/ip_vs\n(\/sys\/kernel\/debug\n)?$/, stderr);
});

test('--uml: a complaint of the kernel makes the run fail', async () => {
  const script = "echo '<4>BUG: KASAN: made up in lab' > /dev/kmsg; exit 0";
  const { status, stderr } = await start(['--uml', '--', 'sh', '-c', script]).ended;
  assert.equal(status, 1);
  assert.match(stderr, /BUG: KASAN: made up in lab/);
});

test("a WARNING of the guest's kernel makes a successful command fail, and is printed", async () => {
  const script = "echo '<4>WARNING: CPU: 0 PID: 1 at lab.c:1 made_up+0x1/0x2' > /dev/kmsg; exit 0";
  const { status, stderr } = await start(['--', 'sh', '-c', script]).ended;
  assert.equal(status, 1);
  assert.match(stderr, /WARNING: CPU: 0 PID: 1 at lab\.c:1/);
});

test('a crash of the guest ends the run with status 1 and prints its report', async () => {
  const begun = Date.now();
  const { status, stderr } = await start(['--', 'sh', '-c', 'echo c > /proc/sysrq-trigger; sleep 600']).ended;
  assert.equal(status, 1);
  assert.match(stderr, /Kernel panic - not syncing: sysrq triggered crash/);
  assert.ok(Date.now() - begun < 300_000);
});

test('one VM at a time; a time-out ends with 124 and the next one goes on', async () => {
  const first = start(['--timeout', '25', '--', 'sleep', '600']);
  await heard(first, /command starts after/);
  const second = start(['--', 'true']);
  await heard(second, /another lab is running/);
  const ends: string[] = [];
  const [one, two] = await Promise.all([
    first.ended.finally(() => ends.push('first')),
    second.ended.finally(() => ends.push('second')),
  ]);
  assert.equal(one.status, 124);
  assert.equal(two.status, 0, two.stderr);
  assert.deepEqual(ends, ['first', 'second']);
});

test('Ctrl-C ends the run with status 130 and leaves no process and no folder', async () => {
  const lab = start(['--', 'sleep', '600']);
  await heard(lab, /command starts after/);
  lab.child.kill('SIGINT');
  const { status } = await lab.ended;
  assert.equal(status, 130);
  const mine = `lvsd-lab-${lab.child.pid}-`;
  const left = readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
      } catch {
        return '';
      }
    })
    .filter((command) => command.includes(mine));
  assert.deepEqual(left, []);
  assert.deepEqual(
    readdirSync(tmpdir()).filter((name) => name.startsWith(mine)),
    [],
  );
});

test('wrong usage exits with 2 and prints the usage', async () => {
  const { status, stderr } = await start(['--colour', 'blue', '--', 'true']).ended;
  assert.equal(status, 2);
  assert.match(stderr, /unknown option --colour\nusage: npm run lab/);
});

test('a guest with a wrong clock is booted three times, then the run fails', async () => {
  // A calibration that got too little time: it says 433 MHz, and no host is as slow as that.
  const { status, stderr } = await start(['--append', 'tsc_early_khz=433000', '--', 'true']).ended;
  assert.equal(status, 1, stderr);
  assert.equal(stderr.match(/command starts after/g)?.length, 3);
  assert.equal(stderr.match(/clock runs much too fast; booting again\n/g)?.length, 2);
  assert.match(stderr, /clock runs much too fast\n$/);
});
