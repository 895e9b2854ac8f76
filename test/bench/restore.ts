// SPDX-License-Identifier: MIT
// Runs in the lab: lvsadm beside Debian's ipvsadm, restoring and listing large tables, turn by turn. Writes
// $LAB_OUT/restore.json; the figures are seconds.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spread } from './figures.ts';

const rounds = Number(process.env.BENCH_ROUNDS ?? 5);
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

/** Seconds that a tool takes, and what it wrote. */
function timed(tool: Tool, args: string[], input = ''): { seconds: number; stdout: string } {
  const start = process.hrtime.bigint();
  const ended = spawnSync(tool, args, { encoding: 'utf8', input, maxBuffer: 256 << 20 });
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  if (ended.status !== 0) throw new Error(`${tool} ${args.join(' ')} ended with ${ended.status}: ${ended.stderr}`);
  return { seconds, stdout: ended.stdout };
}

const lineCount = (text: string) => text.trimEnd().split('\n').length;

function compare(what: string, services: number, dests: number, args: string[]) {
  const input = table(services, dests);
  const lines = lineCount(input);
  const seconds: Record<Tool, number[]> = { ipvsadm: [], lvsadm: [] };
  for (let i = 0; i < rounds; i += 1) {
    for (const tool of tools) {
      if (args[0] === '-R') timed('ipvsadm', ['-C']);
      else if (i === 0 && tool === tools[0]) {
        timed('ipvsadm', ['-C']);
        timed('lvsadm', ['-R'], input);
      }
      const { seconds: took, stdout } = timed(tool, args, args[0] === '-R' ? input : '');
      seconds[tool].push(took);
      process.stderr.write(`bench: ${what}, round ${i + 1} of ${rounds}: ${tool} took ${took.toFixed(2)} s\n`);
      // The table is there, whole: as many lines as were given, and three of heading.
      const there = lineCount(args[0] === '-R' ? timed('ipvsadm', ['-Ln']).stdout : stdout);
      if (there !== lines + 3) throw new Error(`${what}, ${tool}: ${there} lines instead of ${lines + 3}`);
    }
  }
  const ratios = seconds.ipvsadm.map((took, i) => took / (seconds.lvsadm[i] ?? Number.NaN));
  return {
    what,
    lines,
    rounds,
    ipvsadm: spread(seconds.ipvsadm),
    lvsadm: spread(seconds.lvsadm),
    faster: spread(ratios),
  };
}

const results = [compare('restore (-R)', 10_000, 4, ['-R']), compare('list (-Ln)', 10_000, 4, ['-Ln'])];
timed('ipvsadm', ['-C']);
writeFileSync(join(process.env.LAB_OUT ?? '.', 'restore.json'), `${JSON.stringify(results, null, 2)}\n`);
