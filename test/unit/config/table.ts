// SPDX-License-Identifier: MIT
/**
 * Reads wrong.txt: invalid configurations and the problems reported for them. A case is
 *
 *     === TITLE [KIND]
 *     text
 *     ---
 *     LINE:COLUMN: problem            (in lvsd.yaml; FILE:LINE:COLUMN in another file)
 *
 * KIND selects the lines around the text, see FRAMES; a line `>>> FILE` in it begins another file. `$DIR` is the folder
 * of the files, `\t`, `\r`, `\0` and `\u....` are characters, and {REPEAT 3 TEXT} is TEXT three times.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface Case {
  title: string;
  kind: string;
  text: string;
  expected: string[];
}

const SERVICE = `version: 1
services:
  web:
`;
const WEB = `${SERVICE}    address: 203.0.113.10
    port: 80
`;

/** Text before a case's own, and the indentation of the latter. */
const FRAMES: Record<string, { before: string; indent: number }> = {
  file: { before: '', indent: 0 },
  root: { before: 'version: 1\nservices: {}\n', indent: 0 },
  service: { before: SERVICE, indent: 4 },
  web: { before: `${WEB}    real_servers: [10.0.0.2]\n`, indent: 4 },
  servers: { before: `${WEB}    real_servers:\n`, indent: 6 },
  check: { before: `${WEB}    real_servers: [10.0.0.2]\n    check:\n`, indent: 6 },
  pool: { before: 'version: 1\nservices: {}\nlocal_addresses:\n  inner:\n', indent: 4 },
};

export function parseTable(table: string): Case[] {
  return table
    .split(/^=== /m)
    .slice(1)
    .map((block) => {
      const [, title = '', kind = ''] = /^(.*) \[(\w+)\]$/m.exec(block) ?? [];
      const body = block.slice(block.indexOf('\n') + 1);
      const end = body.lastIndexOf('---\n');
      const expected = body
        .slice(end + 4)
        .split('\n')
        .filter((line) => line !== '');
      return { title, kind, text: body.slice(0, end), expected };
    });
}

export function formatTable(head: string, cases: readonly Case[]): string {
  const blocks = cases.map(
    ({ title, kind, text, expected }) =>
      `=== ${title} [${kind}]\n${text}---\n${expected.map((line) => `${line}\n`).join('')}`,
  );
  return `${head}${blocks.join('\n')}`;
}

/** Writes a case's files below `dir`; returns the main one's path. */
export function writeCase({ kind, text }: Case, dir: string): string {
  const frame = FRAMES[kind];
  if (!frame) throw new Error(`no such kind: ${kind}`);
  const [main = '', ...others] = text.split(/^>>> /m);
  const indented = main.replace(/^(?=.)/gm, ' '.repeat(frame.indent));
  const file = join(dir, 'lvsd.yaml');
  writeFileSync(file, characters(frame.before + indented, dir));
  for (const other of others) {
    const end = other.indexOf('\n');
    const path = join(dir, other.slice(0, end));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, characters(other.slice(end + 1), dir));
  }
  return file;
}

function characters(text: string, dir: string): string {
  return text
    .replaceAll('$DIR', dir)
    .replace(/\{REPEAT (\d+) ([^}]*)\}/g, (_, count, unit) => String(unit).repeat(Number(count)))
    .replace(/\\u([0-9a-f]{4})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 16)))
    .replaceAll('\\t', '\t')
    .replaceAll('\\r', '\r')
    .replaceAll('\\0', '\0');
}
