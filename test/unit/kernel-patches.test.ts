// SPDX-License-Identifier: MIT
// The committed kernel series: every patch builds on its own without a warning, has the kernel's style and is short;
// shared functions have kernel-doc; sparse and W=1 report nothing new; the DKMS package names exactly the modules that
// are built. The series for 6.12 is the one that kernel-patches/port makes. Takes minutes the first time; results are
// cached by the content of the source.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const top = fileURLToPath(new URL('../..', import.meta.url));
const patches = join(top, 'kernel-patches');

/** Runs `kernel-patches/build` on the committed series, whatever LVSD_KERNEL_TREE is. */
function build(...args: string[]) {
  const env = { ...process.env, LVSD_KERNEL_TREE: '' };
  const { status, stdout, stderr } = spawnSync(join(patches, 'build'), args, { encoding: 'utf8', env });
  assert.equal(status, 0, stderr);
  return { stdout: stdout.trim(), stderr };
}

const count = (text: string) => text.split('\n').filter((line) => /^\d{4}-.*\.patch$/.test(line)).length;

const lines = ['6.1', '6.12'];

for (const line of lines) {
  const number = count(readFileSync(join(patches, line, 'series'), 'utf8'));

  test(`each of the ${number} patches for ${line} builds on its own, without a warning`, () => {
    assert.match(build('--kernel', line, '--each').stderr, new RegExp(`${number} patches, each builds by itself`));
  });

  test(`checkpatch --strict, sparse and W=1 report nothing about ${line}`, () => {
    const report = build('--kernel', line, '--check').stderr;
    assert.match(report, new RegExp(`checkpatch --strict: ${number} patches, no report`));
    assert.match(report, /sparse and W=1: no new warning/);
    assert.match(report, new RegExp(`${number} patches, the longest changes \\d+ lines`));
    assert.match(report, /kernel-doc: every shared function has a comment, no new warning/);
  });
}

test('the checks find a long patch, a shared function without kernel-doc and a wrong comment', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lvsd-checks-'));
  const git = (...args: string[]) => {
    const identity = ['-c', 'user.name=a', '-c', 'user.email=a@example.org'];
    const { status, stderr } = spawnSync('git', ['-C', dir, ...identity, ...args], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  };
  const put = (path: string, text: string) => writeFileSync(join(dir, path), text);
  try {
    git('init', '-q');
    mkdirSync(join(dir, 'net'));
    mkdirSync(join(dir, 'Documentation/networking'), { recursive: true });
    put('net/old.h', 'int old_one(int a);\n');
    put('net/old.c', '/**\n * old_one() - wrong before\n */\nint old_one(int a)\n{\n\treturn a;\n}\n');
    put('Documentation/networking/ipvs-sysctl.rst', 'known - BOOLEAN\n');
    git('add', '-A');
    git('commit', '-q', '-m', 'base');
    const described = '/**\n * good() - has a comment\n * @a: number\n *\n * Return: the number.\n */\n';
    const wrong = '/**\n * wrong() - names another parameter\n * @b: number\n *\n * Return: the number.\n */\n';
    const body = (name: string) => `int ${name}(int a)\n{\n\treturn a;\n}\n`;
    const readers = ['known', 'unknown'].map((name) => `static inline int sysctl_${name}(void)\n{\n\treturn 1;\n}\n`);
    put(
      'net/new.h',
      `int good(int a);\nint wrong(int a);\n/* int gone(int a); */\nint\nbare(int a,\n     int b);\n${readers.join('')}`,
    );
    put('net/new.c', `${described}${body('good')}${wrong}${body('wrong')}int bare(int a, int b)\n{\n\treturn a;\n}\n`);
    git('add', '-A');
    git('commit', '-q', '-m', 'short');
    put('net/long.c', 'int x;\n'.repeat(401));
    git('add', '-A');
    git('commit', '-q', '-m', 'too long');
    const script = `set -euo pipefail; for part in common check kernel-doc; do . "$1/lib/$part.sh"; done; headers=$2
      run_lengths "$3" HEAD~2 || echo long; run_kernel_doc "$3" HEAD~2 || echo undescribed`;
    const headers = build('--kernel', '6.12', '--print-headers').stdout;
    const { stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', patches, headers, dir], { encoding: 'utf8' });
    assert.equal(stdout, 'long\nundescribed\n', stderr);
    assert.deepEqual(
      stderr.split('\n').filter((line) => !line.startsWith('kernel: kernel-doc')),
      [
        'kernel: 401 changed lines (limit: 400): too long',
        "kernel-doc: new.c: warning: Excess function parameter 'b' description in 'wrong'",
        "kernel-doc: new.c: warning: Function parameter or struct member 'a' not described in 'wrong'",
        'bare: shared between files, without a kernel-doc comment',
        'sysctl_unknown: shared between files, without a kernel-doc comment',
        '',
      ],
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

for (const line of lines) {
  test(`the DKMS package has the modules of kernel-patches/build for ${line} and the version of package.json`, () => {
    const script = `kernelver=$2; . "$1"; [[ $2 =~ $BUILD_EXCLUSIVE_KERNEL ]] || exit 9
      printf '%s\\n' "$PACKAGE_VERSION" "\${BUILT_MODULE_NAME[@]/%/.ko}"`;
    const conf = join(patches, 'dkms/dkms.conf');
    const kernel = build('--kernel', line, '--print-kver').stdout;
    const { stdout, status } = spawnSync('bash', ['-c', script, 'bash', conf, kernel], { encoding: 'utf8' });
    assert.equal(status, 0, `DKMS does not build for ${kernel}`);
    const [version, ...modules] = stdout.trim().split('\n');
    assert.equal(version, JSON.parse(readFileSync(join(top, 'package.json'), 'utf8')).version);
    const built = build('--kernel', line, '--print-dir').stdout;
    assert.deepEqual(modules.sort(), readdirSync(join(built, 'updates')).sort());
  });
}

/** Files of a line's series by path, each with its content after the last patch; only those that the kernel lacks. */
function newFiles(line: string): Map<string, string> {
  const tree = build('--kernel', line, '--print-src').stdout;
  const series = readFileSync(join(patches, line, 'series'), 'utf8');
  const paths = [...series.matchAll(/^# absent (.*)$/gm)].map((match) => match[1] ?? '');
  return new Map(paths.map((path) => [path, readFileSync(join(tree, path), 'utf8')]));
}

test('the new files of both series are the same, byte for byte', () => {
  const place = (path: string) => path.replace('selftests/net/netfilter', 'selftests/netfilter');
  const [old, recent] = [newFiles('6.1'), newFiles('6.12')];
  assert.ok(old.size > 10, `${old.size} new files`);
  assert.deepEqual([...recent.keys()].map(place).sort(), [...old.keys()].sort());
  for (const [path, text] of recent) assert.equal(text, old.get(place(path)), path);
});

test('only ip_vs_compat.h tests the version of the kernel', () => {
  for (const [path, text] of newFiles('6.1')) {
    if (!path.endsWith('/ip_vs_compat.h')) assert.doesNotMatch(text, /LINUX_VERSION_CODE/, path);
  }
});

test('the series for 6.12 is what kernel-patches/port makes from the one for 6.1', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lvsd-port-'));
  try {
    const made = spawnSync(join(patches, 'port'), ['--no-build', '--into', dir], { encoding: 'utf8' });
    assert.equal(made.status, 0, made.stderr);
    const names = (folder: string) => readdirSync(folder).filter((name) => /^series$|\.patch$/.test(name));
    assert.deepEqual(names(dir).sort(), names(join(patches, '6.12')).sort());
    for (const name of names(dir)) {
      const [wanted, there] = [join(dir, name), join(patches, '6.12', name)].map((path) => readFileSync(path, 'utf8'));
      assert.equal(there, wanted, `${name}: run kernel-patches/port`);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('a conflict is resolved by a resolution with its three versions; without one it is written to new.txt', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lvsd-resolve-'));
  const write = (name: string, text: string) => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };
  const conflict = (label: string) => `<<<<<<< ${label}\nnew\n||||||| a\nold\n=======\nours\n>>>>>>> b\n`;
  const resolve = (file: string, ...resolutions: string[]) => {
    const args = ['-v', 'path=a.c', '-v', `open=${join(dir, 'new.txt')}`, '-f', join(patches, 'lib/resolve.awk')];
    const { status, stdout } = spawnSync('awk', [...args, ...resolutions, file], { encoding: 'utf8' });
    return { status, stdout };
  };
  const file = write('a.c', `first\n${conflict('HEAD')}last\n`);
  assert.deepEqual(resolve(file), { status: 1, stdout: readFileSync(file, 'utf8') });
  const unsolved = readFileSync(join(dir, 'new.txt'), 'utf8');
  assert.match(unsolved, /^# why:\nfile: a\.c\n<<<<<<< this kernel\nnew\n[\s\S]*--- becomes\nours\n--- end\n/);
  const answer = write('answer.txt', unsolved.replace('--- becomes\nours\n', '--- becomes\nours, new\n'));
  assert.deepEqual(resolve(file, answer), { status: 0, stdout: 'first\nours, new\nlast\n' });
  const other = write('other.txt', readFileSync(answer, 'utf8').replace('file: a.c', 'file: b.c'));
  assert.equal(resolve(file, other).status, 1);
  const changed = write('b.c', readFileSync(file, 'utf8').replace('old', 'older'));
  assert.equal(resolve(changed, answer).status, 1);
});
