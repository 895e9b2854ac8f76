// SPDX-License-Identifier: MIT
// Runs in the lab with --icount, where a nanosecond of processor time is an instruction: lvsadm beside Debian's ipvsadm,
// restoring and listing large tables, turn by turn. Writes $LAB_OUT/restore.json; work is instructions in thousand
// millions, the kernel's for the program included, memory is megabytes.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spread } from './figures.ts';

const rounds = Number(process.env.BENCH_ROUNDS ?? 5);
const out = process.env.LAB_OUT ?? '.';
const tools = ['ipvsadm', 'lvsadm'] as const;
type Tool = (typeof tools)[number];

/** Lines for -R: `services` services with `dests` destinations each. */
function table(services: number, dests: number): string {
  const lines: string[] = [];
  for (let i = 0; i < services; i += 1) {
    const service = `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}:80`;
    lines.push(`-A -t ${service} -s wrr`);
    for (let j = 0; j < dests; j += 1) lines.push(`-a -t ${service} -r 172.16.${i & 255}.${j + 1}:80 -m -w ${j + 1}`);
  }
  return `${lines.join('\n')}\n`;
}

interface Run {
  work: number;
  megabytes: number;
}

/** Runs a program with files for input and output, and prints its CPU time and memory. */
const METER = `
import json, resource, subprocess, sys
def used():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
before = used()
with open(sys.argv[1]) as given, open(sys.argv[2], 'w') as taken:
    status = subprocess.call(sys.argv[3:], stdin=given, stdout=taken)
print(json.dumps({'status': status, 'work': used() - before,
                  'megabytes': resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024}))
`;
const INPUT = join('/tmp', 'bench-input');
const OUTPUT = join('/tmp', 'bench-output');

/** `inside`: words that run a program in a namespace, which are not measured. */
function measured(command: readonly string[], { input = '/dev/null', inside = [] as readonly string[] } = {}): Run {
  const [program = '', ...words] = [...inside, 'python3', '-c', METER, input, OUTPUT, ...command];
  const { stdout, stderr } = spawnSync(program, words, { encoding: 'utf8' });
  const { status, ...run } = JSON.parse(stdout) as Run & { status: number };
  if (status !== 0) throw new Error(`${command.join(' ')} ended with ${status}: ${stderr}`);
  return run;
}

/**
 * A network namespace for each run, because IPVS keeps deleted destinations for two minutes and searches them at each
 * addition, which would be counted in the next run.
 */
let namespaces = 0;
function fresh<T>(act: (inside: readonly string[]) => T): T {
  const name = `bench-${++namespaces}`;
  const must = (command: string, ...words: string[]) => {
    const { status, stderr } = spawnSync(command, words, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${command} ${words.join(' ')}: ${stderr}`);
  };
  must('ip', 'netns', 'add', name);
  must('ip', '-n', name, 'link', 'set', 'lo', 'up');
  try {
    return act(['ip', 'netns', 'exec', name]);
  } finally {
    must('ip', 'netns', 'exec', name, 'ipvsadm', '-C');
    must('ip', 'netns', 'del', name);
    // Waits until the kernel has destroyed it, which would be counted otherwise.
    spawnSync('sleep', ['3']);
  }
}

const lineCount = (text: string) => text.trimEnd().split('\n').length;
const hash = () => createHash('sha256').update(readFileSync(OUTPUT)).digest('hex');

function say(what: string, round: number, tool: string, { work, megabytes }: Run): void {
  const figures = `${work.toFixed(2)} thousand million instructions, ${megabytes.toFixed(0)} MB`;
  process.stderr.write(`bench: ${what}, round ${round} of ${rounds}: ${tool} took ${figures}\n`);
}

/** Figures of `more` and of `less`, and their ratio. */
function comparison(what: string, more: readonly Run[], less: readonly Run[]) {
  return {
    what,
    rounds: more.length,
    work: [more, less].map((runs) => spread(runs.map(({ work }) => work))),
    times: spread(more.map(({ work }, i) => work / (less[i]?.work ?? Number.NaN))),
    memory: [more, less].map((runs) => spread(runs.map(({ megabytes }) => megabytes))),
  };
}

/** Both tools in turn: -R into an empty table, then -Ln of it by both. */
function compare(services: number, dests: number) {
  const input = table(services, dests);
  const lines = lineCount(input);
  writeFileSync(INPUT, input);
  const restores: Record<Tool, Run[]> = { ipvsadm: [], lvsadm: [] };
  const lists: Record<Tool, Run[]> = { ipvsadm: [], lvsadm: [] };
  for (let round = 1; round <= rounds; round += 1) {
    for (const tool of tools) {
      fresh((inside) => {
        const restored = measured([tool, '-R'], { input: INPUT, inside });
        restores[tool].push(restored);
        say('restore', round, tool, restored);
        const outputs = new Set<string>();
        // Both list the same table, and must print the same.
        for (const lister of tool === 'lvsadm' ? tools : []) {
          const listed = measured([lister, '-Ln'], { inside });
          lists[lister].push(listed);
          say('list', round, lister, listed);
          outputs.add(hash());
        }
        if (outputs.size > 1) throw new Error('the listings differ');
        if (tool === 'ipvsadm') measured(['ipvsadm', '-Ln'], { inside });
        const there = lineCount(readFileSync(OUTPUT, 'utf8'));
        if (there !== lines + 3) throw new Error(`${tool} -R: ${there} lines instead of ${lines + 3}`);
      });
    }
  }
  return [
    comparison(`restore (-R) of ${lines} lines`, restores.ipvsadm, restores.lvsadm),
    comparison(`list (-Ln) of ${lines} lines`, lists.ipvsadm, lists.lvsadm),
  ];
}

/** Pairs of starts. Each Node first searches a random prime, which takes up to a tenth of its instructions. */
const STARTS = 120;

/** Compares one command with a Node that does nothing. */
function start() {
  const node: Run[] = [];
  const lvsadm: Run[] = [];
  measured(['lvsadm', '-Ln']);
  for (let i = 0; i < STARTS; i += 1) {
    node.push(measured(['node', '-e', '0']));
    lvsadm.push(measured(['lvsadm', '-Ln']));
  }
  const compared = comparison('one -Ln of an empty table', lvsadm, node);
  const middle = (runs: readonly Run[]) => spread(runs.map(({ work }) => work)).median;
  return { ...compared, times: { ...compared.times, median: middle(lvsadm) / middle(node) } };
}

const results = { tables: compare(10_000, 4), start: start() };
writeFileSync(join(out, 'restore.json'), `${JSON.stringify(results, null, 2)}\n`);
