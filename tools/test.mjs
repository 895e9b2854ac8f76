// SPDX-License-Identifier: MIT
// npm test [-- WORD...]           everything that must pass; with WORDs only test files whose path has one of them
// npm run test:full [-- AREA...]  what has a large count, with it (LVSD_COUNTS=full)
//
// Five tiers: lint and types; unit and property tests; simulated time; tests of the lab itself (they boot VMs); system
// tests, which run inside a VM. System tests that ask for the same VM share one boot. The closing line sums all of them.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { build } from './lib/build.mjs';
import { bundleForGuest } from './lib/guest-bundle.mjs';
import { nodeTest, readCounts } from './lib/node-test.mjs';
import { runLive } from './lib/run.mjs';
import { main, say, short, top } from './lib/say.mjs';
import { setup } from './lib/setup.mjs';
import { labGroups, testFiles } from './lib/test-files.mjs';

/** One tier's outcome: a crash of the tier itself counts as one failed test, so that it can never look green. */
function outcome(title, code, counts) {
  if (counts === undefined)
    return { passed: 0, failed: 1, skipped: 0, failures: [{ file: '', name: `${title}: no result (exit ${code})` }] };
  if (code !== 0 && counts.failed === 0) {
    return { ...counts, failed: 1, failures: [{ file: '', name: `${title}: exit ${code} though every test passed` }] };
  }
  return counts;
}

async function lint() {
  const tools = [
    ['biome', ['ci', '--colors=off', '--error-on-warnings', '.']],
    ['tsc', ['-p', 'tsconfig.json']],
  ];
  const counts = { passed: 0, failed: 0, skipped: 0, failures: [] };
  for (const [tool, args] of tools) {
    say(`lint: ${tool}`);
    if ((await runLive(join(top, 'node_modules', '.bin', tool), args)) === 0) counts.passed += 1;
    else {
      counts.failed += 1;
      counts.failures.push({ file: '', name: `lint: ${tool}` });
    }
  }
  return counts;
}

async function onHost(title, files, env = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'lvsd-test-'));
  try {
    const [command, args] = nodeTest(files, join(dir, 'counts.json'));
    const code = await runLive(command, args, { env: { ...process.env, ...env } });
    return outcome(title, code, readCounts(join(dir, 'counts.json')));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function inLab(options, files, env) {
  const dir = mkdtempSync(join(tmpdir(), 'lvsd-test-'));
  try {
    const [command, args] = nodeTest(await bundleForGuest(files), '$LAB_OUT/counts.json', ['--enable-source-maps']);
    const line = [command, ...args].map((word) => `"${word}"`).join(' ');
    const lab = [join(top, 'tools', 'lab.mjs'), '--timeout', '3300', ...options, '--', 'sh', '-c', `exec ${line}`];
    const code = await runLive(process.execPath, lab, { env: { ...process.env, ...env, LAB_OUT: dir } });
    const counts = outcome(`lab ${options.join(' ')}`, code, readCounts(join(dir, 'counts.json')));
    // Records that a full run made anew belong into the checkout, each at its own path.
    if (existsSync(join(dir, 'records'))) cpSync(join(dir, 'records'), top, { recursive: true });
    return { ...counts, figures: readFigures(join(dir, 'results')) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** What tests left for the record: the content of each results/NAME.json under its name. */
function readFigures(dir) {
  if (!existsSync(dir)) return {};
  const files = readdirSync(dir).filter((name) => name.endsWith('.json'));
  return Object.fromEntries(
    files.map((name) => [basename(name, '.json'), JSON.parse(readFileSync(join(dir, name), 'utf8'))]),
  );
}

/** Writes test/results/AREA.json: what a full run of an area counted and measured. */
function writeResults(area, { passed, failed, skipped }, tiers, seconds) {
  const figures = Object.assign({}, ...tiers.map((tier) => tier.figures ?? {}));
  const date = new Date().toISOString().slice(0, 10);
  const path = join(top, 'test/results', `${area}.json`);
  mkdirSync(join(top, 'test/results'), { recursive: true });
  writeFileSync(path, `${JSON.stringify({ area, date, seconds, passed, failed, skipped, figures }, null, 2)}\n`);
  say(`results in ${short(path)}`);
}

await main(async (args) => {
  const full = args.includes('--full');
  const words = args.filter((word) => word !== '--full');
  const env = { LVSD_COUNTS: full ? 'full' : 'quick' };
  const started = Date.now();
  await setup();
  const all = [];
  if (words.length === 0 && !full) all.push(await lint());
  await build();

  const unit = [...(full ? [] : testFiles('test/unit', words)), ...testFiles('test/property', words)];
  if (unit.length > 0) {
    say(`unit and property tests: ${unit.length} files`);
    all.push(await onHost('unit tests', unit, env));
  }
  const sim = testFiles('test/sim', words);
  if (sim.length > 0) {
    say(`simulated time: ${sim.length} files`);
    all.push(await onHost('simulated time', sim, env));
  }
  const lab = full ? [] : testFiles('lab', words);
  if (lab.length > 0) {
    say(`tests of the lab: ${lab.length} files`);
    all.push(await onHost('tests of the lab', lab));
  }
  for (const { options, files } of labGroups(testFiles('test/system', words))) {
    say(`system tests in one VM (${options.join(' ') || 'default options'}): ${files.length} files`);
    all.push(await inLab(options, files, env));
  }

  const sum = (key) => all.reduce((total, tier) => total + tier[key], 0);
  const [passed, failed, skipped] = [sum('passed'), sum('failed'), sum('skipped')];
  for (const { file, name } of all.flatMap((tier) => tier.failures)) say(`failed: ${file ? `${file}: ` : ''}${name}`);
  if (passed + failed === 0) say('no test matches');
  const seconds = Math.round((Date.now() - started) / 1000);
  say(`took ${seconds} s`);
  if (full) writeResults(words.join('-') || 'all', { passed, failed, skipped }, all, seconds);
  process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`);
  return failed > 0 || passed === 0 ? 1 : 0;
});
