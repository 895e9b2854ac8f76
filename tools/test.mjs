// SPDX-License-Identifier: MIT
// npm test [-- WORD...]           everything that must pass; with WORDs only test files whose path contains one of them
// npm run test:full [-- AREA...]  the same tests with their large counts (LVSD_COUNTS=full); area kernel: on both kernels
//    --only=WORD[,WORD...]        of an area only the files whose path contains a WORD; the results are added to the old ones
//    --line=6.1|6.12              and on one kernel line only
//
// Five tiers: lint and types; unit and property tests; simulated time; tests of the lab itself, which boot VMs; system
// tests, which run inside a VM. The last two run two VMs at a time where the machine allows. The closing line sums all.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './lib/build.mjs';
import { bundleForGuest } from './lib/guest-bundle.mjs';
import { inLanes } from './lib/lanes.mjs';
import { runLive } from './lib/run.mjs';
import { ErrorReport, main, say, short, top } from './lib/say.mjs';
import { setup } from './lib/setup.mjs';
import { areaEnv, areaWords, kernelLine, labGroups, needPackages, testFiles } from './lib/test-files.mjs';
import { inLab, lint, onHost } from './lib/tiers.mjs';

/** @import { Lane } from './lib/lanes.mjs' */
/** @import { Group } from './lib/test-files.mjs' */
/** @import { Outcome } from './lib/tiers.mjs' */

/**
 * Fetches and builds what the VMs need, once for each kind of VM, before several of them ask for it at the same time.
 * @param {Group[]} groups
 * @param {Record<string, string>} env
 */
async function prepareVms(groups, env) {
  for (const options of new Set(groups.map((group) => group.options.join(' ')))) {
    const args = [join(top, 'tools/lab.mjs'), ...options.split(' ').filter(Boolean), '--prepare'];
    const code = await runLive(process.execPath, args, { env: { ...process.env, ...env } });
    if (code !== 0) throw new ErrorReport(`cannot prepare a VM (${options || 'default options'})`, code);
  }
}

/**
 * Prints the ten files that took longest.
 * @param {Outcome[]} tiers
 */
function saySlowest(tiers) {
  const files = tiers.flatMap((tier) => tier.files).sort((a, b) => b.seconds - a.seconds);
  if (files.length < 2) return;
  say('the slowest files:');
  for (const { file, seconds } of files.slice(0, 10)) say(`${seconds.toFixed(1).padStart(7)} s  ${file}`);
}

/**
 * Writes test/results/AREA.json: the counts and figures of a full run of an area, or of a part of it beside those of
 * the other parts.
 * @param {string} area
 * @param {string | undefined} part
 * @param {{ passed: number, failed: number, skipped: number }} counts
 * @param {Outcome[]} tiers
 * @param {number} seconds
 */
function writeResults(area, part, { passed, failed, skipped }, tiers, seconds) {
  const path = join(top, 'test/results', `${area}.json`);
  const figures = Object.assign({}, ...tiers.map((tier) => tier.figures ?? {}));
  const run = { date: new Date().toISOString().slice(0, 10), seconds, passed, failed, skipped };
  const old = part !== undefined && existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
  const result =
    part === undefined
      ? { area, ...run, figures }
      : { area, parts: { ...old.parts, [part]: run }, figures: { ...old.figures, ...figures } };
  mkdirSync(join(top, 'test/results'), { recursive: true });
  writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`);
  say(`results in ${short(path)}`);
}

await main(async (args) => {
  const full = args.includes('--full');
  const value = (/** @type {string} */ name) =>
    args.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
  const [only, line] = [value('--only'), value('--line')];
  const words = args.filter((word) => !word.startsWith('--'));
  // Set-up and build are done once, here.
  const env = { LVSD_COUNTS: full ? 'full' : 'quick', LVSD_SKIP_BUILD: '1', ...(full ? areaEnv(words) : {}) };
  const started = Date.now();
  await setup();
  /** @type {Outcome[]} */
  const all = [];
  if (words.length === 0 && !full) all.push(await lint());
  await build();

  const chosen = (/** @type {string} */ file) =>
    only === undefined || only.split(',').some((word) => file.includes(word));
  // A full run of an area has the unit tests of the area's own folder: some of them have large counts too.
  const folders = full ? words.map((word) => `test/unit/${word}/`) : words;
  const units = full && words.length === 0 ? [] : testFiles('test/unit', folders);
  const unit = [...units, ...testFiles('test/property', words)].filter(chosen);
  if (unit.length > 0) all.push(await onHost('unit and property tests', unit, { env }));
  const sim = testFiles('test/sim', words).filter(chosen);
  if (sim.length > 0) all.push(await onHost('simulated time', sim, { env }));

  const lab = full ? [] : testFiles('lab', words);
  const system = testFiles('test/system', full ? areaWords(words) : words);
  const groups = labGroups(system.filter(chosen), full).filter(
    ({ options }) => line === undefined || kernelLine(options) === line,
  );
  if (groups.length > 0) {
    const files = groups.flatMap((group) => group.files);
    if (needPackages(files)) {
      const { tsImport } = await import('tsx/esm/api');
      await (await tsImport('../lab/packages.ts', import.meta.url)).prepareGuestPackages(full);
    }
    await bundleForGuest(files);
    await prepareVms(groups, env);
  }
  const jobs = groups.map((group) => (/** @type {Lane} */ lane) => inLab(group, lane));
  if (lab.length > 0) jobs.unshift((lane) => onHost('tests of the lab', lab, { ...lane, alone: true }));
  all.push(...(await inLanes(jobs, env)));

  const sum = (/** @type {'passed' | 'failed' | 'skipped'} */ key) => all.reduce((total, tier) => total + tier[key], 0);
  const [passed, failed, skipped] = [sum('passed'), sum('failed'), sum('skipped')];
  for (const { file, name, reason } of all.flatMap((tier) => tier.failures)) {
    say(`failed: ${file ? `${file}: ` : ''}${name}`);
    for (const text of reason?.split('\n') ?? []) say(`    ${text}`);
  }
  if (passed + failed === 0) say('no test matches');
  saySlowest(all);
  const seconds = Math.round((Date.now() - started) / 1000);
  say(`took ${seconds} s`);
  const part = only && line ? `${only} on ${line}` : only;
  if (full) writeResults(words.join('-') || 'all', part, { passed, failed, skipped }, all, seconds);
  process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`);
  return failed > 0 || passed === 0 ? 1 : 0;
});
