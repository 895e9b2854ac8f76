// SPDX-License-Identifier: MIT
/** Values of plain scalars by YAML 1.2's core schema (yaml.org/spec/1.2.2 §10.3.2), as js-yaml reads them. */

const INTEGER = /^[-+]?[0-9]+$/;
const OTHER_BASE = /^0(?:o[0-7]+|x[0-9a-fA-F]+)$/;
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
const WORDS = new Map<string, unknown>([
  ['', null],
  ['~', null],
  ...['null', 'Null', 'NULL'].map((word) => [word, null] as const),
  ...['true', 'True', 'TRUE'].map((word) => [word, true] as const),
  ...['false', 'False', 'FALSE'].map((word) => [word, false] as const),
  ...['.inf', '.Inf', '.INF', '+.inf', '+.Inf', '+.INF'].map((word) => [word, Number.POSITIVE_INFINITY] as const),
  ...['-.inf', '-.Inf', '-.INF'].map((word) => [word, Number.NEGATIVE_INFINITY] as const),
  ...['.nan', '.NaN', '.NAN'].map((word) => [word, Number.NaN] as const),
]);

/** 'yes' -> 'yes', '443' -> 443, '' -> null. */
export function plainScalar(text: string): unknown {
  const first = text.charCodeAt(0);
  if (first <= 57 /* '9' */) {
    const isNumber = INTEGER.test(text) || FLOAT.test(text) || (first === 48 /* '0' */ && OTHER_BASE.test(text));
    // 1e999 is too large for a number.
    if (isNumber) return Number.isFinite(Number(text)) ? Number(text) : text;
  }
  // Fast path: the longest keyword has five letters; most scalars are longer.
  if (text.length > 5) return text;
  const word = WORDS.get(text);
  return word === undefined ? text : word;
}

/** 010 is eight in YAML 1.1 and ten in YAML 1.2. */
export function looksOctal(text: string): boolean {
  return /^[-+]?0[0-9]+$/.test(text);
}
