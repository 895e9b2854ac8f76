// SPDX-License-Identifier: MIT
// Our port of popt compared with libpopt on the same tables, by a small C program built with Debian's libpopt.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import fc from 'fast-check';
import { cached, hashOf } from '../../../lab/cache.ts';
import { unpackDebs } from '../../../lab/debs.ts';
import { POPT_ERRORS, Popt, type PoptOption } from '../../../src/ipvsadm/command-line/popt.ts';

const OPTIONS: readonly PoptOption[] = [
  { long: 'add-service', short: 'A', argument: 'none' },
  { long: 'list', short: 'L', argument: 'none' },
  { long: 'list', short: 'l', argument: 'none' },
  { long: 'tcp-service', short: 't', argument: 'required' },
  { long: 'persistent', short: 'p', argument: 'optional' },
  { long: 'numeric', short: 'n', argument: 'none' },
  { long: 'stats', argument: 'none' },
  { long: 'pe', argument: 'required' },
];
const FLAGS = {
  none: 'POPT_ARG_NONE',
  required: 'POPT_ARG_STRING',
  optional: 'POPT_ARG_STRING | POPT_ARGFLAG_OPTIONAL',
};

/** Reads command lines, words ended by NUL and lines by an empty word after "\1", and prints the events. */
const SOURCE = `
#include <popt.h>
#include <stdio.h>
#include <string.h>
static char *argument;
static struct poptOption table[] = {
${OPTIONS.map(
  ({ long, short, argument }, index) =>
    `{ "${long}", ${short ? `'${short}'` : '0'}, ${FLAGS[argument]}, ${argument === 'none' ? 'NULL' : '&argument'}, ${index + 1}, NULL, NULL },`,
).join('\n')}
{ NULL, 0, 0, NULL, 0, NULL, NULL } };
static void word(const char *text) { fwrite(text, 1, strlen(text) + 1, stdout); }
static void parse(int argc, const char **argv) {
  poptContext context = poptGetContext("x", argc, argv, table, 0);
  int event;
  char number[16];
  const char *left;
  while (argument = NULL, (event = poptGetNextOpt(context)) >= 0) {
    snprintf(number, sizeof(number), "%d", event);
    word(number);
    word(argument ? argument : "\\2");
  }
  if (event < -1) { word(poptBadOption(context, POPT_BADOPTION_NOALIAS)); word(poptStrerror(event)); }
  word("\\3");
  while ((left = poptGetArg(context))) word(left);
  word("\\1");
  poptFreeContext(context);
}
int main(void) {
  static char input[1 << 20];
  const char *argv[64] = { "x" };
  int argc = 1;
  size_t length = fread(input, 1, sizeof(input) - 1, stdin), at;
  for (at = 0; at < length; at += strlen(input + at) + 1) {
    if (strcmp(input + at, "\\1")) { argv[argc++] = input + at; continue; }
    argv[argc] = NULL;
    parse(argc, argv);
    argc = 1;
  }
  return 0;
}
`;

let reference = '';
before(async () => {
  const dir = await cached('popt-reference', hashOf(SOURCE), (into) => {
    unpackDebs(['libpopt-dev', 'libpopt0'], into);
    writeFileSync(join(into, 'reference.c'), SOURCE);
    const archive = join(into, 'usr/lib', `${process.arch === 'x64' ? 'x86_64' : 'aarch64'}-linux-gnu`, 'libpopt.a');
    const words = ['-o', join(into, 'reference'), join(into, 'reference.c'), `-I${join(into, 'usr/include')}`, archive];
    const { status, stderr } = spawnSync('cc', words, { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  });
  reference = join(dir, 'reference');
  assert.ok(existsSync(reference));
});

/** The events of each command line, as libpopt has them. */
function byLibpopt(lines: readonly (readonly string[])[]): string[][] {
  const input = lines.map((words) => [...words, '\u0001'].map((word) => `${word}\0`).join('')).join('');
  const { stdout, status } = spawnSync(reference, { input, encoding: 'utf8', maxBuffer: 1 << 26 });
  assert.equal(status, 0);
  const all: string[][] = [[]];
  for (const word of stdout.split('\0').slice(0, -1)) {
    if (word === '\u0001') all.push([]);
    else all.at(-1)?.push(word);
  }
  return all.slice(0, -1);
}

function byOurs(words: readonly string[]): string[] {
  const popt = new Popt(words, OPTIONS);
  const events: string[] = [];
  for (let event = popt.next(); event; event = popt.next()) {
    if (event.kind === 'error') {
      events.push(event.word, POPT_ERRORS[event.error]);
      break;
    }
    events.push(String(OPTIONS.indexOf(event.option) + 1), event.argument ?? '\u0002');
  }
  events.push('\u0003');
  for (let left = popt.leftover(); left !== undefined; left = popt.leftover()) events.push(left);
  return events;
}

const LINES = `
-A -t 1.2.3.4:80|-At1.2.3.4:80|-ln|-Lnp|-p 300 -n|-p -n|-p|-np5|-p=300|-p=|--persistent|--persistent 7|--persistent=7
--persistent=|--persistent= 7|-t=x|-t|-nt|--tcp-service|--tcp-service=|--tcp-service x y|--pe sip|--pe=sip -n|--stats=1
--stat|-nZA|-Z|-|- -n|--|-- -n|-A -- -n x|x -A y|-n=5|-n=|-A=n|--=x|-=|-stats|--numeric=|-pn|-p-|-p -|-t - -n|-t -n|-L -l
`
  .trim()
  .split(/[|\n]/)
  .map((line) => line.split(' '));

test('chosen lines', () => {
  const expected = byLibpopt(LINES);
  for (const [index, line] of LINES.entries()) assert.deepEqual(byOurs(line), expected[index], line.join(' '));
});

test('random lines', () => {
  const piece = fc.constantFrom(
    ...[
      '-A',
      '-L',
      '-l',
      '-n',
      '-t',
      '-p',
      '--stats',
      '--pe',
      '--persistent',
      '--tcp-service',
      '-Z',
      '--',
      '-',
      'x',
      '5',
    ],
    ...['-np', '-tn', '-pn', '--pe=x', '--stats=', '-n=x', '-p=', '--persistent=', '-An5', '=', '-=', '--=', 'a=b'],
  );
  const letters = fc.string({ unit: fc.constantFrom(...'-=ALlntpZx5 é😀'), maxLength: 6 });
  const line = fc.array(fc.oneof(piece, letters), { maxLength: 8 });
  fc.assert(
    fc.property(fc.array(line, { minLength: 50, maxLength: 50 }), (lines) => {
      const expected = byLibpopt(lines);
      for (const [index, words] of lines.entries())
        assert.deepEqual(byOurs(words), expected[index], JSON.stringify(words));
    }),
    { numRuns: 200 },
  );
});
