// SPDX-License-Identifier: MIT
// Makes the manual pages: lvsd(8) and lvsctl(8) from the programs' own help, so that they have every command and option,
// lvsd.yaml(5) from the schema as docs/configuration.md has it. lvsadm(8) is written by hand in man/.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { page, Reference, readSchema } from './config-reference.mjs';
import { top } from './say.mjs';

/** @import { Section } from './config-reference.mjs' */

/** Date of the last noticeable change. */
const DATE = '2026-11-28';

const dir = join(top, 'build/man');
export const manualOutputs = ['lvsd.8', 'lvsctl.8', 'lvsd.yaml.5'].map((name) => join(dir, name));

/** Text of the man macros: nothing in it is a request or an escape. */
const plain = (/** @type {string} */ text) =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('`', '\\(ga')
    .replaceAll("'", '\\(aq')
    .replace(/^\./gm, '\\&.');
const bold = (/** @type {string} */ text) => `\\fB${plain(text)}\\fR`;

/** Text with `code` and **words**, as in Markdown; links become their text. */
function roff(/** @type {string} */ markdown) {
  return markdown
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .split(/(`[^`]*`|\*\*[^*]*\*\*)/)
    .map((part) => (/^(`.*`|\*\*.*\*\*)$/s.test(part) ? bold(part.replace(/^(`|\*\*)|(`|\*\*)$/g, '')) : plain(part)))
    .join('')
    .trim();
}

/**
 * Breaks a paragraph into lines; a line that begins with a dot or a quote would be a request.
 * @param {string} text
 */
function filled(text) {
  const lines = [''];
  for (const word of text.split(/\s+/)) {
    const line = lines.at(-1) ?? '';
    if (line !== '' && line.length + word.length > 78) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines.map((line) => line.replace(/^(?=[.'])/, '\\&')).join('\n');
}

const heading = (/** @type {string} */ title) => `.SH ${plain(title.toUpperCase())}`;
const item = (/** @type {string} */ tag, /** @type {string} */ text) => ['.TP', tag, filled(text)].join('\n');
const literal = (/** @type {string[]} */ lines) => ['.nf', '.RS 4', ...lines.map(plain), '.RE', '.fi'].join('\n');

/**
 * @param {string} name
 * @param {number} section
 * @param {string} about
 * @param {string} version
 */
const head = (name, section, about, version) =>
  [
    '.\\" Made by tools/lib/manual.mjs.',
    `.TH ${plain(name.toUpperCase())} ${section} ${DATE} "lvsd ${version}" "lvsd"`,
    '.SH NAME',
    filled(`${plain(name)} \\- ${plain(about)}`),
  ].join('\n');

/** Sections of a help text whose lines are shown as they are. */
const LITERAL = new Set(['Examples']);

/**
 * Returns the lines of one section of a help text: `words  meaning` becomes an item, the rest paragraphs.
 * @param {string[]} lines
 */
function helpSection(lines) {
  /** @type {string[]} */
  const out = [];
  const add = (/** @type {string} */ text) => out.push(...(out.length > 0 ? ['.PP'] : []), text);
  let paragraph = '';
  /** @type {[words: string, meaning: string] | undefined} */
  let pending;
  const flush = () => {
    if (pending) out.push(item(bold(pending[0]), plain(pending[1])));
    if (paragraph !== '') add(filled(plain(paragraph)));
    [paragraph, pending] = ['', undefined];
  };
  for (const line of lines) {
    const [, words, meaning] = /^ {2,}(\S.*?) {2,}(\S.*)$/.exec(line) ?? [];
    const usage = /^ {2}lvs\w+ /.test(line);
    // A meaning goes on in lines that are further to the right than any item begins.
    if (pending && /^ {9,}\S/.test(line)) pending[1] += ` ${line.trim()}`;
    else if (words !== undefined && meaning !== undefined) {
      flush();
      pending = [words, meaning];
    } else if (usage) {
      flush();
      add(bold(line.trim()));
    } else if (line.trim() === '') flush();
    else {
      if (pending) flush();
      paragraph = `${paragraph} ${line.trim()}`.trim();
    }
  }
  flush();
  return out;
}

/**
 * Turns a program's help into a manual page.
 * @param {string} help
 * @param {{ name: string, version: string, files: [string, string][], see: string }} more
 */
export function helpManual(help, { name, version, files, see }) {
  const [first = '', ...rest] = help.trimEnd().split('\n');
  const about = first.replace(/^\w+: /, '').replace(/\.$/, '');
  const out = [head(name, 8, about, version)];
  /** @type {{ title: string, lines: string[] }[]} */
  const sections = [];
  /** Paragraphs between the sections. */
  const description = { title: 'Description', lines: /** @type {string[]} */ ([]) };
  let section = description;
  for (const paragraph of rest.join('\n').split('\n\n')) {
    const [line = '', ...lines] = paragraph.split('\n').filter((text) => text !== '');
    const title = /^([A-Z][\w ()]*):$/.exec(line)?.[1];
    if (/^(Files:|See )/.test(line)) continue;
    if (title === undefined && /^\S/.test(line)) description.lines.push('', line, ...lines);
    else if (title === undefined) section.lines.push('', line, ...lines);
    else {
      section = { title: title === 'Usage' ? 'Synopsis' : title, lines };
      sections.push(section);
    }
  }
  sections.splice(1, 0, description);
  for (const { title, lines } of sections) {
    if (lines.every((line) => line.trim() === '')) continue;
    const body = LITERAL.has(title)
      ? [literal(lines.filter(Boolean).map((line) => line.slice(2)))]
      : helpSection(lines);
    out.push(heading(title), ...body);
  }
  out.push(heading('Files'), ...files.map(([file, meaning]) => item(bold(file), plain(meaning))));
  out.push(heading('See also'), plain(see));
  return `${out.join('\n')}\n`;
}

/** @param {Section} section */
function configSection({ title, parts }) {
  const out = [`.SS ${plain(title)}`];
  for (const [index, part] of parts.entries()) {
    if (typeof part === 'string') out.push(...(index > 0 ? ['.PP'] : []), filled(roff(part)));
    else
      for (const { key, allowed, usual, meaning } of part) {
        const facts = [allowed, usual === '' ? '' : usual === 'needed' ? 'needed' : `default ${usual}`].filter(Boolean);
        out.push(item(bold(key), `${roff(facts.join('; '))}. ${roff(meaning)}`));
      }
  }
  return out.join('\n');
}

/** @param {string} version */
export function configManual(version) {
  const text = readFileSync(page, 'utf8');
  const example = /```yaml\n(.*?)```/s.exec(text)?.[1] ?? '';
  return `${[
    head('lvsd.yaml', 5, 'configuration of lvsd', version),
    heading('Description'),
    'One YAML file, \\fB/etc/lvsd/lvsd.yaml\\fR unless \\fB\\-f\\fR names another.',
    '\\fBlvsd check\\fR validates it; \\fBlvsctl reload\\fR applies it, and an invalid file changes nothing.',
    'Unknown keys are errors, with the position and what is allowed.',
    heading('Example'),
    literal(example.trimEnd().split('\n')),
    heading('Keys'),
    'The keys of each map of the file: what is allowed, the default, the meaning.',
    ...new Reference(readSchema()).sections().map(configSection),
    heading('See also'),
    plain('lvsd(8), lvsctl(8), lvsadm(8)'),
  ].join('\n')}\n`;
}

/** The help texts, from their TypeScript sources. */
async function readHelp() {
  const esbuild = await import('esbuild');
  const scratch = mkdtempSync(join(dir, 'scratch-'));
  try {
    const module = join(scratch, 'help.mjs');
    const contents = `export { HELP as lvsd } from './src/daemon/commands/help.ts';
export { helpText as lvsctl } from './src/control/lvsctl/help.ts';`;
    await esbuild.build({
      stdin: { contents, resolveDir: top, loader: 'ts' },
      outfile: module,
      bundle: true,
      platform: 'node',
      format: 'esm',
    });
    const { lvsd, lvsctl } = await import(pathToFileURL(module).href);
    return { lvsd, lvsctl: lvsctl() };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Returns the pages in the order of `manualOutputs`. */
export async function buildManual() {
  mkdirSync(dir, { recursive: true });
  const { version } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'));
  const help = await readHelp();
  const pages = [
    helpManual(help.lvsd, {
      name: 'lvsd',
      version,
      files: [
        ['/etc/lvsd/lvsd.yaml', 'the configuration, lvsd.yaml(5)'],
        ['/run/lvsd/control.sock', 'the control socket, for lvsctl(8)'],
        ['/run/lvsd/state.json', 'the state that survives a restart'],
        ['/var/lib/lvsd/overrides.json', 'drains and other overrides, which survive a reboot'],
      ],
      see: 'lvsd.yaml(5), lvsctl(8), lvsadm(8)',
    }),
    helpManual(help.lvsctl, {
      name: 'lvsctl',
      version,
      files: [['/run/lvsd/control.sock', 'the control socket of lvsd(8)']],
      see: 'lvsd(8), lvsd.yaml(5), lvsadm(8)',
    }),
    configManual(version),
  ];
  for (const [index, output] of manualOutputs.entries()) writeFileSync(output, pages[index] ?? '');
}
