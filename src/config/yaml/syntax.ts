// SPDX-License-Identifier: MIT
/**
 * Syntax errors of a text that is not YAML. js-yaml stops at the first one; the package `yaml` finds the others, so it
 * parses such a text once more. It is thirteen times slower: for a large file only the first error is reported.
 */
import { YAMLException } from 'js-yaml';
import { type ErrorCode, parseAllDocuments } from 'yaml';
import type { Flaw } from './compose.ts';

const LARGE = 1 << 20;
const MOST = 20;

/** All syntax errors of `source`, at least the `first`. */
export function syntaxFlaws(source: string, first: unknown): Flaw[] {
  // `yaml` would run out of stack.
  const found = source.length > LARGE || isTooDeep(first) ? [] : allErrors(source);
  if (found.length === 0) found.push(fromFirst(first));
  return found.map((flaw) => ({ ...flaw, text: flaw.text + hint(lineAt(source, flaw.offset)) }));
}

const DEPTH = /maxDepth \((\d+)\)/;

const isTooDeep = (error: unknown): boolean => error instanceof YAMLException && DEPTH.test(error.reason);

function fromFirst(error: unknown): Flaw {
  if (!(error instanceof YAMLException)) throw error;
  const depth = DEPTH.exec(error.reason);
  const text = depth
    ? `found maps and lists more than ${depth[1]} deep; allowed: that depth`
    : `not YAML: ${error.reason}`;
  return { offset: error.mark?.position ?? 0, text };
}

function allErrors(source: string): Flaw[] {
  try {
    const documents = parseAllDocuments(source, { prettyErrors: false, uniqueKeys: false, strict: true });
    const errors = Array.isArray(documents) ? documents.flatMap((document) => document.errors) : [];
    // Further errors on a line are mostly caused by the first.
    const lines = new Set<number>();
    const news = errors.filter(({ pos: [offset], code }) => {
      if (code === 'RESOURCE_EXHAUSTION') return false;
      const line = source.lastIndexOf('\n', offset - 1);
      return !lines.has(line) && lines.add(line);
    });
    return news.slice(0, MOST).map(({ pos: [offset], code, message }) => {
      const deeper =
        code === 'BLOCK_AS_IMPLICIT_KEY' || code === 'MULTILINE_IMPLICIT_KEY' ? deeperLine(source, offset) : -1;
      return deeper < 0 ? { offset, text: `not YAML: ${words(code, message)}` } : { offset: deeper, text: DEEPER };
    });
  } catch {
    // The first error is known; the others are optional.
    return [];
  }
}

const DEEPER =
  'not YAML: found a key that is indented deeper than the one before it, which has a value; allowed: the same indentation';

/** Offset of the key on the next line, if it is indented deeper than a key with a value on this one; else -1. */
function deeperLine(source: string, offset: number): number {
  const start = source.lastIndexOf('\n', offset - 1) + 1;
  const match = /^( *)(?:- )?[\w.-]+:[ ]+[^\s#&|>{["'][^\n]*\n(?:[ ]*(?:#[^\n]*)?\n)*( +)[\w.-]+:(?=\s)/.exec(
    source.slice(start),
  );
  if (!match || (match[2]?.length ?? 0) <= (match[1]?.length ?? 0)) return -1;
  const line = match[0].lastIndexOf('\n') + 1;
  return start + line + (match[2]?.length ?? 0);
}

/** Replaces messages of the package that are written for programmers. */
const WORDS: Partial<Record<ErrorCode, string>> = {
  TAB_AS_INDENT: 'found a tab as indentation; allowed: blanks',
  BAD_INDENT: 'found a line whose indentation does not match its block',
  MULTILINE_IMPLICIT_KEY: 'found a key that goes over several lines; is a colon missing on the line?',
  BLOCK_AS_IMPLICIT_KEY: 'found a key inside a value; a text with “: ” in it, or “:” at its end, needs quotes',
  BLOCK_IN_FLOW: 'found a key inside a value; a text with “: ” in it needs quotes, and { } has commas between its keys',
  UNEXPECTED_TOKEN: 'found text after the end of a value; is a comma, a bracket or a quote missing?',
};

function words(code: ErrorCode, message: string): string {
  const closing = /end with an? (.)$/.exec(message) ?? /Expected .* to end with (.)/.exec(message);
  if (closing) return `found no ${closing[1]} where a list or a map in brackets ends`;
  const quote = /^Missing closing (.)quote/.exec(message);
  if (quote) return `found no ${quote[1]} where a text in quotes ends`;
  return WORDS[code] ?? message.charAt(0).toLowerCase() + message.slice(1);
}

function lineAt(source: string, offset: number): string {
  const end = source.indexOf('\n', offset);
  return source.slice(source.lastIndexOf('\n', offset - 1) + 1, end < 0 ? undefined : end).slice(0, 500);
}

/** Common mistakes on the line with the error, and what to write instead. */
function hint(line: string): string {
  const bracketed = /(?<!["'])\[[0-9a-fA-F:.]*:[0-9a-fA-F:.]*\]:\d+/.exec(line);
  if (bracketed) return `; an address in brackets needs quotes: "${bracketed[0]}"`;
  const open = /(?<![\w:."'])([0-9a-fA-F]{1,4}:[0-9a-fA-F:]*::)(?=\s|$|,|\])/.exec(line);
  if (open) return `; an address that ends with a colon needs quotes: "${open[1]}"`;
  const value = /:\s+([@`%*&!|>][^#]*)$/.exec(line);
  if (value) return `; a text that begins with ${value[1]?.charAt(0)} needs quotes`;
  return '';
}
