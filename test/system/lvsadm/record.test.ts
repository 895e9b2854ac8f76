// SPDX-License-Identifier: MIT
// lab: --stock
// lvsadm against Debian's ipvsadm on thousands of command lines: output, exit status and the changed table. ipvsadm's
// answers are recorded once per kernel (npm run test:full lvsadm). lvsadm answers within this process; some of the
// lines also run as processes of both programs.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Answer, AnswerRecord, asProcess, inProcess, isRefused, Questions } from './answers.ts';
import { DIFFERENCES } from './differences.ts';
import { ForkServer } from './forkserver.ts';
import { allCases, type Case, caseText } from './grammar.ts';

const FULL = process.env.LVSD_COUNTS === 'full';
/** How many lines both programs run as processes. */
const PROCESSES = FULL ? 150 : 60;
/** The number of differences in the failure's text. */
const SHOWN = 20;
const kernel = release().split('.').slice(0, 2).join('.');
const place = `test/system/lvsadm/record/${kernel}.json`;
const path = fileURLToPath(new URL(`../../../${place}`, import.meta.url));

const RECORDED = !FULL && existsSync(path);
/**
 * A full run takes every line, a quick one every third, or every eighth if there is no record and ipvsadm has to run.
 */
const STEP = FULL ? 1 : RECORDED ? 3 : 8;

const cases = allCases();
const asked = cases.filter((_, index) => index % STEP === 0);
let questions: Questions;
let server: ForkServer | undefined;
let record = new AnswerRecord();

before(async () => {
  for (const module of ['ip_vs', 'ip_vs_pe_sip']) spawnSync('modprobe', [module]);
  spawnSync('ip', ['link', 'set', 'lo', 'up']);
  questions = new Questions();
  if (RECORDED) record = AnswerRecord.fromText(readFileSync(path, 'utf8'));
});
after(async () => {
  await questions.close();
  server?.close();
});

function forkServer(): ForkServer {
  server ??= new ForkServer('ipvsadm');
  return server;
}

/** ipvsadm's answer, from the record or by running it. */
async function original(one: Case): Promise<Answer> {
  if (!RECORDED) record.add(one, await questions.ask(one, (line) => forkServer().ask(line)));
  const answer = record.of(one);
  assert.ok(answer, `${caseText(one)} is not recorded: npm run test:full lvsadm does`);
  return answer;
}

/** Writes the record to the folder that the lab copies out of the guest. */
function keep(): void {
  const file = join(process.env.LAB_OUT ?? '/tmp', 'records', place);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, record.toText(`answers of ipvsadm 1.31 (Debian) on Linux ${kernel}`));
}

/** Compares the answers, apart from the intended differences. */
function compare(one: Case, ours: Answer, original: Answer): void {
  const known = DIFFERENCES.find((entry) => entry.applies(one, original));
  assert.deepEqual(ours, known ? known.expected(original, ours) : original, caseText(one));
}

test(`lvsadm answers ${asked.length} lines as ipvsadm does`, async () => {
  assert.ok(cases.length >= 3000, `only ${cases.length} lines`);
  const wrong: string[] = [];
  for (const [index, one] of asked.entries()) {
    if (FULL && index % 200 === 0)
      process.stderr.write(`${index} of ${asked.length}, ${Math.round(process.uptime())} s\n`);
    const expected = await original(one);
    const ours = await questions.ask(one, (line) => inProcess(line));
    try {
      compare(one, ours, expected);
    } catch {
      wrong.push(`${caseText(one)}\n  ipvsadm: ${JSON.stringify(expected)}\n  lvsadm:  ${JSON.stringify(ours)}`);
    }
  }
  if (FULL) keep();
  assert.equal(wrong.length, 0, `${wrong.length} lines differ\n${wrong.slice(0, SHOWN).join('\n')}`);
});

test(`${PROCESSES} lines give the same answers as processes of both programs`, async () => {
  const dir = mkdtempSync('/tmp/lvsadm-');
  const ours = join(dir, 'ipvsadm');
  symlinkSync(fileURLToPath(new URL('../../../dist/bin/lvsadm.cjs', import.meta.url)), ours);
  const step = Math.floor(cases.length / PROCESSES);
  const some = cases.filter((_, index) => index % step === 0).slice(0, PROCESSES);
  const expected = new Map<Case, Answer>();
  for (const one of some) expected.set(one, await questions.ask(one, (line) => asProcess('ipvsadm', line)));
  // Rejected command lines do not change the table, so they can run beside others.
  const lane = async (refused: boolean, ask: (one: Case) => Promise<Answer>) => {
    for (const [one, answer] of expected) if (isRefused(one, answer) === refused) compare(one, await ask(one), answer);
  };
  await Promise.all([
    lane(false, (one) => questions.ask(one, (line) => asProcess(ours, line))),
    lane(true, async (one) => ({ ...(await asProcess(ours, one)), table: '' })),
  ]);
});
