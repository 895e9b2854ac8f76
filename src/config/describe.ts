// SPDX-License-Identifier: MIT
/** Values as text for messages, and hints about common mistakes in YAML. */
import { parseAddress } from '../base/addresses.ts';
import { isMap } from './yaml/compose.ts';

const LONGEST = 60;

/** 443 -> '443', 'shop' -> '"shop"', null -> 'nothing', a map -> 'a map with address and port'. One short line. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (isMap(value)) {
    const keys = Object.keys(value);
    if (keys.length === 0) return 'an empty map';
    return `a map with ${listOf(keys.slice(0, 3).map(shorten), 'and')}${keys.length > 3 ? ', ...' : ''}`;
  }
  if (typeof value === 'string') return JSON.stringify(shorten(value));
  // NaN and Infinity as YAML writes them.
  return Number.isNaN(value) ? '.nan' : String(value).replace('Infinity', '.inf');
}

/** Whether a value is one that YAML writes as plain text: a string or a number. */
export function isScalarText(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number';
}

/** ['a', 'b', 'c'] -> 'a, b or c'. */
export function listOf(words: readonly string[], last: 'or' | 'and'): string {
  const head = words.slice(0, -1).join(', ');
  return head === '' ? (words[0] ?? '') : `${head} ${last} ${words.at(-1)}`;
}

/** 'services.shop.real_servers[2].port'; names with other characters in quotes. */
export function pathText(path: readonly (string | number)[]): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else {
      const name = /^[\w-]+$/.test(step) ? step : JSON.stringify(shorten(step));
      text += text === '' ? name : `.${name}`;
    }
  }
  return text;
}

/**
 * Hint about what `value` was probably meant to be: '; write 2s for seconds'. `allowed`: the allowed values as text;
 * `wanted`: the allowed types of JSON Schema.
 */
export function mistake(value: unknown, allowed: string, wanted: readonly string[]): string {
  if (typeof value === 'number' && !wanted.includes('integer')) {
    if (allowed.startsWith('a duration') && value >= 0 && value < 1e9) return `; write ${value}s for seconds`;
    return wanted.includes('string') ? `; a text that looks like a number needs quotes` : '';
  }
  if (typeof value === 'string') {
    if (allowed.includes('a map with `type: ') && allowed.includes(`\`${value}\``)) return `; write { type: ${value} }`;
    if (wanted.includes('boolean') && /^(yes|on|y)$/i.test(value)) return '; write true (YAML 1.2)';
    if (wanted.includes('boolean') && /^(no|off|n)$/i.test(value)) return '; write false (YAML 1.2)';
    const number = wanted.includes('integer') || wanted.includes('number');
    if (number && /^(-?[0-9]+|0x[0-9a-f]+)$/i.test(value)) return '; a number is written without quotes';
    if (allowed.startsWith('a duration') && /^[0-9]+$/.test(value)) return `; write ${value}s for seconds`;
    if (wanted[0] === 'array' && allowed.includes('program') && !value.startsWith('/'))
      return '; write a list that begins with the absolute path of the program';
    if (wanted[0] === 'array')
      return `; write [${shorten(value)
        .split(/[\s,]+/)
        .join(', ')}]`;
  }
  if (allowed.startsWith('none') && (value === null || value === false)) return '; write none';
  if (typeof value === 'boolean' && wanted.includes('string')) return `; a text that is ${value} needs quotes`;
  const address = colonAddress(value);
  return address === undefined ? '' : `; an address that ends with a colon needs quotes: "${address}"`;
}

/** The address that was meant by 2001:db8:: in a list, which YAML reads as a map. */
export function colonAddress(value: unknown): string | undefined {
  if (!isMap(value)) return undefined;
  const [key, ...more] = Object.keys(value);
  const address = `${key}:`;
  return more.length === 0 && key !== undefined && value[key] === null && parseAddress(address) ? address : undefined;
}

function shorten(text: string): string {
  const whole = [...text.slice(0, 2 * LONGEST)];
  return whole.length <= LONGEST ? text : `${whole.slice(0, LONGEST).join('')}...`;
}
