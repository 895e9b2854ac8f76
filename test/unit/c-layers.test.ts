// SPDX-License-Identifier: MIT
// The C sources of the addon and of the toa module: no circle of includes or of calls between files.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

type Sources = ReadonlyMap<string, string>;

function readSources(folder: string): Sources {
  const path = fileURLToPath(new URL(`../../${folder}`, import.meta.url));
  const names = readdirSync(path).filter((name) => /\.[ch]$/.test(name));
  return new Map(names.map((name) => [name, readFileSync(`${path}/${name}`, 'utf8')]));
}

/** Comments and string literals can name functions of any file. */
const withoutProse = (text: string) =>
  text
    .replace(/\/\*[\s\S]*?\*\//g, ' ')
    .replace(/\/\/.*/g, ' ')
    .replace(/"(?:\\.|[^"\\\n])*"/g, '""');

function includes(sources: Sources): Map<string, string[]> {
  return new Map(
    [...sources].map(([name, text]) => [
      name,
      [...text.matchAll(/^#include "(.*)"/gm)].map((found) => found[1] as string).filter((file) => sources.has(file)),
    ]),
  );
}

/** Functions with external linkage, and the file that defines each. */
function definitions(sources: Sources): Map<string, string> {
  const found = new Map<string, string>();
  for (const [name, text] of sources) {
    if (!name.endsWith('.c')) continue;
    for (const [, modifiers = '', called = ''] of withoutProse(text).matchAll(
      /^([a-z][\w *]*?)\b(\w+)\([^;{}]*\)\s*\n\{/gm,
    ))
      if (!/\bstatic\b/.test(modifiers)) found.set(called, name);
  }
  return found;
}

function calls(sources: Sources): Map<string, string[]> {
  const owners = definitions(sources);
  return new Map(
    [...sources]
      .filter(([name]) => name.endsWith('.c'))
      .map(([name, text]) => {
        const used = new Set<string>();
        for (const [word] of withoutProse(text).matchAll(/\w+/g)) {
          const owner = owners.get(word);
          if (owner && owner !== name) used.add(owner);
        }
        return [name, [...used]];
      }),
  );
}

/** A circle as a list of files that starts and ends with the same one. */
function findCircle(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const finished = new Set<string>();
  const visit = (node: string, path: readonly string[]): string[] | undefined => {
    const start = path.indexOf(node);
    if (start >= 0) return [...path.slice(start), node];
    if (finished.has(node)) return undefined;
    for (const next of graph.get(node) ?? []) {
      const circle = visit(next, [...path, node]);
      if (circle) return circle;
    }
    finished.add(node);
    return undefined;
  };
  for (const node of graph.keys()) {
    const circle = visit(node, []);
    if (circle) return circle;
  }
  return undefined;
}

for (const folder of ['native', 'toa-module'])
  test(`${folder}: no circle of includes or of calls`, () => {
    const sources = readSources(folder);
    assert.equal(findCircle(includes(sources)), undefined);
    assert.equal(findCircle(calls(sources)), undefined);
    assert.ok(definitions(sources).size > 10, 'function definitions are recognised');
  });

test('the addon depends on its lowest layers', () => {
  const graph = calls(readSources('native'));
  assert.deepEqual(graph.get('error.c'), []);
  assert.deepEqual(graph.get('args.c'), ['error.c']);
  assert.deepEqual(graph.get('pollable.c'), ['error.c']);
});

test('circles are found', () => {
  const a = 'static int helper(void)\n{\n\treturn b();\n}\n\nint a(void)\n{\n\treturn helper();\n}\n';
  const b = '/* calls a() */\nint b(void)\n{\n\treturn 0;\n}\n';
  const sources = new Map([
    ['a.c', a],
    ['b.c', b],
  ]);
  assert.equal(findCircle(calls(sources)), undefined);
  assert.deepEqual(findCircle(calls(new Map([...sources, ['b.c', b.replace('return 0', 'return a()')]]))), [
    'a.c',
    'b.c',
    'a.c',
  ]);
  const headers = new Map([
    ['x.h', '#include "y.h"\n'],
    ['y.h', '#include <stdio.h>\n#include "x.h"\n'],
  ]);
  assert.deepEqual(findCircle(includes(headers)), ['x.h', 'y.h', 'x.h']);
});
