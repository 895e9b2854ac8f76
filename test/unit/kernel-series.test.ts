// SPDX-License-Identifier: MIT
// The scripts of kernel-patches on a small made-up kernel source: a series applies exactly, by three-way merge or not at
// all, and a tree of commits becomes the same series again. The real series has the same round trip.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const patches = fileURLToPath(new URL('../../kernel-patches', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'lvsd-series-'));
const copy = join(dir, 'kernel-patches');
const core = 'net/netfilter/ipvs/ip_vs_core.c';
const made = '6.1.100-1';

after(() => rmSync(dir, { recursive: true, force: true }));

interface Outcome {
  code: number | null;
  output: string;
}

function attempt(command: string, args: string[], cwd = dir): Outcome {
  const identity = { GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a@example.org', GIT_COMMITTER_NAME: 'a' };
  const env = { ...process.env, ...identity, GIT_COMMITTER_EMAIL: 'a@example.org', LVSD_CACHE: join(dir, 'cache') };
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', env });
  return { code: status, output: stdout + stderr };
}

function run(command: string, args: string[], cwd = dir): string {
  const { code, output } = attempt(command, args, cwd);
  assert.equal(code, 0, `${command} ${args.join(' ')}: ${output}`);
  return output;
}

const numbered = (change: Record<number, string> = {}) =>
  Array.from({ length: 60 }, (_, at) => change[at + 1] ?? `line ${at + 1}`).join('\n');

/** A source with every part that the series may touch; `text` is that of ip_vs_core.c. */
function source(name: string, text: string): string {
  const at = join(dir, name);
  const files: Record<string, string> = {
    [core]: text,
    'net/netfilter/xt_ipvs.c': 'match',
    'include/net/ip_vs.h': 'header',
    'include/uapi/linux/ip_vs.h': 'abi',
    'Documentation/networking/ipvs-sysctl.rst': 'words',
    'tools/testing/selftests/netfilter/ipvs.sh': 'test',
    Makefile: 'VERSION = 6',
  };
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(at, path)), { recursive: true });
    writeFileSync(join(at, path), `${content}\n`);
  }
  return at;
}

/**
 * Applies the series of `line` to the source `from` of `version`, as kernel-patches/build does; `out` gets the tree.
 */
function apply(line: string, version: string, from: string, out: string): Outcome {
  const text = `set -euo pipefail; lib=$1/lib; shift
    for part in common source apply; do . "$lib/$part.sh"; done; apt_updated=1; mkdir -p "$cache"; apply_series "$@"`;
  return attempt('bash', ['-c', text, 'bash', copy, line, version, from, join(dir, out)]);
}

const readAll = (folder: string) =>
  Object.fromEntries(
    readdirSync(folder)
      .filter((name) => name !== 'resolutions')
      .sort()
      .map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
  );

/** Two patches: one changes line 30, the other adds a file. Made from a git tree by kernel-patches/export. */
function makeSeries(): string {
  for (const name of ['lib', 'build', 'tree', 'export']) {
    cpSync(join(patches, name), join(copy, name), { recursive: true });
  }
  const tree = source('tree', numbered());
  const git = (...args: string[]) => run('git', ['-c', 'init.defaultBranch=main', ...args], tree);
  git('init', '-q');
  git('add', '-A');
  git('commit', '-q', '-m', `linux-source ${made}: a made-up one`);
  git('branch', 'base');
  writeFileSync(join(tree, core), `${numbered({ 30: 'line thirty' })}\n`);
  git('commit', '-q', '-a', '-m', 'ipvs: write thirty in a word', '-m', 'Because.');
  writeFileSync(join(tree, 'net/netfilter/ipvs/ip_vs_new.c'), 'new\n');
  git('add', '-A');
  git('commit', '-q', '-m', 'ipvs: add a file');
  run(join(copy, 'export'), [tree]);
  return tree;
}

const tree = makeSeries();
const base = source('base', numbered());
// The folder where build unpacks the source that the series was made for.
cpSync(base, join(dir, 'cache/kernel', `source-6.1_${made}`), { recursive: true });

test('export writes the base, checksums of changed files and the names of new ones', () => {
  const series = readFileSync(join(copy, '6.1/series'), 'utf8').trim().split('\n');
  const sum = run('sha256sum', [join(base, core)]).split(' ')[0];
  assert.deepEqual(series, [
    `# base: linux-source-6.1 ${made}`,
    `# sha256 ${sum}  ${core}`,
    '# absent net/netfilter/ipvs/ip_vs_new.c',
    '0001-ipvs-write-thirty-in-a-word.patch',
    '0002-ipvs-add-a-file.patch',
  ]);
  const first = readFileSync(join(copy, '6.1/0001-ipvs-write-thirty-in-a-word.patch'), 'utf8');
  assert.match(first, /^From 0{40} .*\nFrom: lvsd maintainers <lvsd@lists\.example\.org>\n/);
});

test('the series applies to its own base, and export writes the same bytes', () => {
  const { code, output } = apply('6.1', made, base, 'exact');
  assert.equal(code, 0, output);
  const out = join(dir, 'exact');
  assert.equal(readFileSync(join(out, core), 'utf8'), readFileSync(join(tree, core), 'utf8'));
  run('git', ['branch', '-f', 'base', 'HEAD~2'], out);
  run(join(copy, 'export'), ['--into', join(dir, 'again'), out]);
  assert.deepEqual(readAll(join(dir, 'again')), readAll(join(copy, '6.1')));
});

test('a base that changed elsewhere, even beside a hunk, is merged three-way', () => {
  const from = source('near', numbered({ 1: 'line one\nand a half', 28: 'line 28, changed' }));
  const { code, output } = apply('6.1', '6.1.101-1', from, 'near-out');
  assert.equal(code, 0, output);
  assert.match(output, /6\.1\.101-1 differs from 6\.1\.100-1/);
  const wanted = numbered({ 1: 'line one\nand a half', 28: 'line 28, changed', 30: 'line thirty' });
  assert.equal(readFileSync(join(dir, 'near-out', core), 'utf8'), `${wanted}\n`);
});

test('a base that changed in the same place stops the build, naming patch, file, hunk and both versions', () => {
  const from = source('clash', numbered({ 30: 'line 30, changed' }));
  const { code, output } = apply('6.1', '6.1.102-1', from, 'clash-out');
  assert.equal(code, 1);
  assert.match(output, /0001-ipvs-write-thirty-in-a-word\.patch does not fit linux-source 6\.1\.102-1.*6\.1\.100-1/);
  assert.match(output, /ip_vs_core\.c: hunk @@@ -2\d,/);
});

test('a base that already has a file of ours stops the build', () => {
  const from = source('taken', numbered());
  writeFileSync(join(from, 'net/netfilter/ipvs/ip_vs_new.c'), 'another\n');
  const { code, output } = apply('6.1', '6.1.103-1', from, 'taken-out');
  assert.equal(code, 1);
  assert.match(output, /0002-ipvs-add-a-file\.patch does not fit/);
  assert.match(output, /ip_vs_new\.c/);
});

test('without the base every hunk must find its context unchanged', () => {
  // A version that is in no archive and not in the cache.
  cpSync(join(copy, '6.1'), join(copy, '6.9'), { recursive: true });
  const series = join(copy, '6.9/series');
  writeFileSync(series, readFileSync(series, 'utf8').replace(`linux-source-6.1 ${made}`, 'linux-source-6.9 6.9.9-99'));
  const far = source('far', numbered({ 1: 'line one\nand a half' }));
  const moved = apply('6.9', '6.9.100-1', far, 'far-out');
  assert.equal(moved.code, 0, moved.output);
  assert.match(moved.output, /no three-way merge/);
  const near = source('near-9', numbered({ 28: 'line 28, changed' }));
  const { code, output } = apply('6.9', '6.9.101-1', near, 'near-9-out');
  assert.equal(code, 1);
  assert.match(output, /0001-ipvs-write-thirty-in-a-word\.patch does not fit.*\n.*ip_vs_core\.c:2\d/);
});

test('export rejects files outside the parts that the series may change', () => {
  writeFileSync(join(tree, 'Makefile'), 'VERSION = 7\n');
  run('git', ['commit', '-q', '-a', '-m', 'kernel: become seven'], tree);
  const { code, output } = attempt(join(copy, 'export'), ['--into', join(dir, 'refused'), tree]);
  run('git', ['reset', '-q', '--hard', 'HEAD~1'], tree);
  assert.equal(code, 1);
  assert.match(output, /Makefile is outside/);
  assert.ok(!existsSync(join(dir, 'refused')));
});

for (const line of ['6.1', '6.12'].filter((name) => existsSync(join(patches, name, 'series')))) {
  test(`tree and export give the same bytes for ${line}`, () => {
    // With the real cache, which has the source that the modules are built from.
    const at = join(dir, `real-${line}`);
    const made = spawnSync(join(patches, 'tree'), ['--kernel', line, at], { encoding: 'utf8' });
    assert.equal(made.status, 0, made.stderr);
    run(join(patches, 'export'), ['--kernel', line, '--into', join(dir, `out-${line}`), at]);
    assert.deepEqual(readAll(join(dir, `out-${line}`)), readAll(join(patches, line)));
  });
}
