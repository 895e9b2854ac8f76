// SPDX-License-Identifier: MIT
// C files that depend on each other in a circle: a module is a .c file with the header of its name, and depends on the
// modules whose headers it includes and whose functions it calls.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const top = join(fileURLToPath(import.meta.url), '../../../..');

type Sources = Readonly<Record<string, string>>;

function sourcesOf(folder: string): Sources {
  const names = readdirSync(join(top, folder)).filter((name) => /\.[ch]$/.test(name));
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(top, folder, name), 'utf8')]));
}

const moduleOf = (name: string) => name.replace(/\.[ch]$/, '');
const withoutComments = (text: string) => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/"(?:[^"\\\n]|\\.)*"/g, '""');

/** The functions that a file defines for others: kernel style begins a definition in the first column. */
function definitions(text: string): string[] {
  const heads = withoutComments(text).matchAll(/^(?!static\b|#|typedef\b)[a-z_][\w \t*]*?\b(\w+)\([^;{}]*\)\n\{/gm);
  return [...heads].map(([, name = '']) => name);
}

function dependencies(sources: Sources): Map<string, Set<string>> {
  const definers = new Map<string, string>();
  for (const [name, text] of Object.entries(sources))
    if (name.endsWith('.c')) for (const one of definitions(text)) definers.set(one, moduleOf(name));
  const graph = new Map<string, Set<string>>();
  for (const [name, text] of Object.entries(sources)) {
    const needs = graph.get(moduleOf(name)) ?? new Set();
    graph.set(moduleOf(name), needs);
    for (const [, header = ''] of text.matchAll(/^#include "([\w-]+\.h)"/gm))
      if (header in sources) needs.add(moduleOf(header));
    if (!name.endsWith('.c')) continue;
    for (const [word] of withoutComments(text).matchAll(/\b\w+\b/g)) {
      const definer = definers.get(word);
      if (definer) needs.add(definer);
    }
    needs.delete(moduleOf(name));
  }
  return graph;
}

/** The modules of a circle, the first one at both ends; undefined if there is none. */
function circle(sources: Sources): string[] | undefined {
  const graph = dependencies(sources);
  const done = new Set<string>();
  const visit = (name: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(name)) return [...path.slice(path.indexOf(name)), name];
    if (done.has(name)) return undefined;
    for (const next of graph.get(name) ?? []) {
      const found = visit(next, [...path, name]);
      if (found) return found;
    }
    done.add(name);
    return undefined;
  };
  for (const name of graph.keys()) {
    const found = visit(name, []);
    if (found) return found;
  }
  return undefined;
}

for (const folder of ['native', 'toa-module', 'test/fuzz', 'test/bench']) {
  test(`${folder} has no circle`, () => {
    const sources = sourcesOf(folder);
    assert.ok(Object.keys(sources).length > 0);
    assert.equal(circle(sources)?.join(' -> '), undefined);
  });
}

test('a header that includes its user closes a circle', () => {
  const sources = sourcesOf('native');
  const changed = { ...sources, 'pollable.h': `${sources['pollable.h']}#include "socket.h"\n` };
  assert.ok(circle(changed)?.includes('socket'));
});

test('a call back into a caller closes a circle', () => {
  for (const [folder, file, called] of [
    ['native', 'error.c', 'arg_int'],
    ['toa-module', 'toa_trust.c', 'toa_getname_init'],
  ] as const) {
    const sources = sourcesOf(folder);
    const changed = { ...sources, [file]: `${sources[file]}\nint probe(void)\n{\n\treturn ${called}();\n}\n` };
    assert.ok(circle(changed)?.includes(moduleOf(file)), folder);
  }
});
