// SPDX-License-Identifier: MIT
// The commands of the README's section "Install with npm" in a bare Debian 12: npm pack of a fresh clone, then the installed
// package without a compiler and a network; and the error with Debian's Node 18.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { bareRoot, commandBlocks, inRoot, layerOf, removeTree } from '../../../lab/bare-root.ts';

const top = join(fileURLToPath(import.meta.url), '../../../..');
const { version, bin } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'));
const [pack = '', install = ''] = commandBlocks(readFileSync(join(top, 'README.md'), 'utf8'), 'Install with npm');
const [packages = '', ...packing] = pack.split('\n');
const update = 'apt-get -qq update';

const scratch = mkdtempSync(join(tmpdir(), 'lvsd-install-'));
after(() => removeTree(scratch));
const [clone, unpacked] = [join(scratch, 'clone'), join(scratch, 'unpacked')];
const tarball = join(clone, `lvsd-${version}.tgz`);

let bare = '';
before(async () => {
  bare = await bareRoot();
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: top,
    encoding: 'utf8',
  });
  for (const file of files.split('\0').filter(Boolean)) {
    mkdirSync(dirname(join(clone, file)), { recursive: true });
    cpSync(join(top, file), join(clone, file), { verbatimSymlinks: true });
  }
});

/** Runs a script in the bare root; throws with its output if it fails. */
function inBare(script: string, options: Partial<Parameters<typeof inRoot>[0]> = {}): string {
  const { status, output } = inRoot({ layers: [bare], script, node: true, ...options });
  assert.equal(status, 0, output);
  return output;
}

test('npm pack without a compiler fails and says what to install', () => {
  const options = { layers: [bare], cwd: '/clone', node: true, binds: { '/clone': clone } };
  const { status, output } = inRoot({ ...options, script: 'npm pack' });
  assert.notEqual(status, 0);
  assert.match(output, /^lvsd: cc cannot compile C: apt-get install --no-install-recommends gcc libc6-dev$/m);
  assert.deepEqual(
    readdirSync(clone).filter((name) => name.endsWith('.tgz')),
    [],
  );
});

test('the commands pack a fresh clone', async () => {
  assert.match(packages, /^apt-get install /);
  const compiler = await layerOf(`${update}\n${packages.replace('install', 'install -y')}`, [bare]);
  const env = {
    npm_config_prefer_offline: 'true',
    ...(process.env.NODE_EXTRA_CA_CERTS ? { NODE_EXTRA_CA_CERTS: process.env.NODE_EXTRA_CA_CERTS } : {}),
  };
  const binds = { '/clone': clone };
  inBare(packing.join('\n'), { layers: [bare, compiler], cwd: '/clone', network: true, env, binds });
  mkdirSync(unpacked);
  execFileSync('tar', ['-xzf', tarball, '-C', unpacked]);
});

test('the package has no dependency and contains no path of the build machine', () => {
  const { dependencies, scripts } = JSON.parse(readFileSync(join(unpacked, 'package/package.json'), 'utf8'));
  assert.equal(dependencies, undefined);
  for (const name of ['install', 'preinstall', 'postinstall', 'prepare']) assert.equal(scripts[name], undefined, name);
  const found = readdirSync(unpacked, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => /\/clone\b|\/usr\/local\/bin\/node/.test(readFileSync(file, 'latin1')))
    .map((file) => file.slice(unpacked.length));
  assert.deepEqual(found, []);
  for (const [name, path] of Object.entries<string>(bin)) {
    const [first] = readFileSync(join(unpacked, 'package', path), 'latin1').split('\n', 1);
    const node =
      name === 'lvsd'
        ? '-S node --max-semi-space-size=1 --expose-gc'
        : name.startsWith('lvsadm')
          ? '-S node --v8-pool-size=0'
          : 'node';
    assert.equal(first, `#!/usr/bin/env ${node}`);
  }
});

/** Calls each program once, and loads the addon. */
const USE = `
for name in lvsd lvsctl lvsadm; do $name --help >/tmp/$name.help; done
for name in lvsd lvsctl lvsadm; do man -w $name; done
man -w 5 lvsd.yaml
for page in 8/lvsd 8/lvsctl 8/lvsadm 5/lvsd.yaml; do MANOPT=--warnings man \${page%%/*} \${page#*/} >/tmp/page 2>/tmp/faults; wc -l </tmp/page; cat /tmp/faults; done
lvsd --version; lvsctl --version; lvsadm -v
lvsadm -Ln || true
(cd "$(npm root --global)/lvsd/dist/workers" && echo workers *)
! command -v cc
node -e 'const m = { exports: {} };
  process.dlopen(m, process.argv[1] + "/lvsd/build/native/lvsd.node");
  new m.exports.Socket(16, 3, 16).close(); console.log("addon works")' "$(npm root --global)"
find "$(npm root --global)/lvsd" -name node_modules
`;

test('the commands install it in a bare Debian 12, without a network', () => {
  const output = inBare(`${install}${USE}`, { binds: { [`/root/lvsd-${version}.tgz`]: tarball } });
  assert.match(output, new RegExp(`^lvsd ${version.replaceAll('.', '\\.')}$`, 'm'));
  assert.match(output, / OK: \d+ services, \d+ real servers$/m);
  assert.match(output, /^addon works$/m);
  assert.match(output, /^lvsadm v/m);
  // The kernel's answer, by the addon, which here may be that there is no IPVS.
  assert.match(output, /^IP Virtual Server version|^Can't initialize ipvs/m, output);
  assert.match(output, /^workers exec\.cjs health\.cjs match\.cjs vrrp\.cjs$/m);
  for (const page of ['lvsd.8', 'lvsctl.8', 'lvsadm.8', 'lvsd.yaml.5'])
    assert.match(output, new RegExp(`^/usr/local/.*/man/${page.replaceAll('.', '\\.')}$`, 'm'));
  // man reports errors in a page with its name and line.
  assert.doesNotMatch(output, /warning:|troff|: error/);
  assert.doesNotMatch(output, /^\/.*node_modules\/.*node_modules$/m);
});

test("with Debian's Node 18 each program prints one line", async () => {
  const old = await layerOf(`${update}\napt-get install -y --no-install-recommends nodejs`, [bare]);
  const binds = { '/package': join(unpacked, 'package') };
  for (const [name, path] of Object.entries<string>(bin)) {
    const { status, output } = inRoot({ layers: [bare, old], script: `set +x; /package/${path}`, binds });
    assert.equal(status, 1, name);
    const line = new RegExp(`^${name}: needs Node 20 or newer; /usr/bin/node is 18\\.\\d+\\.\\d+$`);
    const lines = output.split('\n').filter((text) => text !== '' && !text.startsWith('+ '));
    assert.equal(lines.length, 1, output);
    assert.match(lines[0] ?? '', line);
  }
});

/** Types lines and tabs into a zsh on a terminal of its own, and waits for each completed line. */
const ZSH = `
zmodload zsh/zpty
zpty shell zsh -f -i
out=
await() {
  for try in {1..40}; do
    while zpty -r -t shell more; do out+=$more; done
    [[ $out == *$1* ]] && return
    sleep 0.5
  done
}
zpty -w shell 'PS1=; PROMPT_EOL_MARK=; fpath=(/package/completions $fpath); autoload -U compinit; compinit -u'
zpty -w shell 'echo ready$((1 + 1))'
await ready2
for pair in 'lvsctl hist:lvsctl history' 'lvsd do:lvsd doctor' 'lvsctl events --fol:lvsctl events --follow'; do
  zpty -w -n shell $'\\x15'\${pair%%:*}$'\\t'
  await \${pair#*:}
done
print -r -- $out
`;

test('zsh and fish complete by the help of the installed programs', async () => {
  const shells = await layerOf(`${update}\napt-get install -y --no-install-recommends zsh fish`, [bare]);
  const zsh = join(scratch, 'completions.zsh');
  writeFileSync(zsh, ZSH);
  const script = `set +x
for name in lvsd lvsctl; do ln -s /package/dist/bin/$name.cjs /usr/local/bin/$name; done
cat >/tmp/lines.fish <<'END'
for name in lvsd lvsctl; source /package/completions/$name.fish; end
for line in 'lvsctl hist' 'lvsctl --wa' 'lvsctl pause ' 'lvsd do' 'lvsd --no'; complete -C$line; end
END
fish /tmp/lines.fish
zsh -f /completions.zsh`;
  const binds = { '/package': join(unpacked, 'package'), '/completions.zsh': zsh };
  const output = inBare(script, { layers: [bare, shells], binds });
  const fish = output.split('\n').map((line) => line.split('\t')[0]);
  assert.deepEqual(fish.slice(fish.indexOf('history'), fish.indexOf('--node') + 1), [
    ...['history', '--watch', 'off', 'on', 'doctor', '--node'],
  ]);
  for (const line of ['lvsctl history', 'lvsd doctor', 'lvsctl events --follow'])
    assert.ok(output.includes(line), `${line} in ${JSON.stringify(output)}`);
});
