// SPDX-License-Identifier: MIT
// Words and closing line of npm run soak.
import { ErrorReport } from './say.mjs';

/** @typedef {{ what: 'fuzz' | 'vrrp', line: string, seed: number, seconds: number }} Soak */

/** @type {Record<string, number>} */
const UNITS = { s: 1, m: 60, h: 3600, d: 86_400 };

const usage = 'usage: npm run soak -- [vrrp] [--kernel 6.1|6.12] [--seed N] [DURATION: 90m, 8h, 2d; default 1h]';

/**
 * @param {string} text
 * @returns {number} seconds
 */
function duration(text) {
  const [, number, unit = ''] = /^([1-9][0-9]*)([smhd])$/.exec(text) ?? [];
  if (number === undefined) throw new ErrorReport(`${text} is not a duration\n${usage}`, 2);
  return Number(number) * (UNITS[unit] ?? 0);
}

/**
 * @param {string[]} args
 * @returns {Soak}
 */
export function parseSoak(args) {
  /** @type {Soak} */
  const soak = { what: 'fuzz', line: '6.1', seed: Math.floor(Math.random() * 1e9), seconds: 3600 };
  for (let at = 0; at < args.length; at += 1) {
    const name = args[at] ?? '';
    if (name === 'vrrp') {
      soak.what = name;
      continue;
    }
    if (!name.startsWith('-')) {
      soak.seconds = duration(name);
      continue;
    }
    at += 1;
    const value = args[at] ?? '';
    if (name === '--kernel' && /^6\.12?$/.test(value)) soak.line = value;
    else if (name === '--seed' && /^[0-9]+$/.test(value)) soak.seed = Number(value);
    else throw new ErrorReport(`wrong option: ${name} ${value}\n${usage}`, 2);
  }
  return soak;
}

/**
 * Returns the result of a soak: what ran, and the seed of the round that failed.
 * @param {{ line: string, rounds: number, count: number, seconds: number, failedSeed?: number }} ran
 */
export function soakEnd({ line, rounds, count, seconds, failedSeed }) {
  const done = `${rounds} rounds of ${count} segments and ${count} netlink messages on ${line} in ${seconds} s`;
  return failedSeed === undefined
    ? `soak: passed: ${done}`
    : `soak: failed: after ${done}, in the round with --seed ${failedSeed}`;
}

/** The longest time that one VM runs, in seconds. */
const VRRP_ROUND = 3600;

/**
 * Returns the lengths of the rounds that make up a soak of VRRP.
 * @param {number} seconds
 */
export function vrrpRounds(seconds) {
  const whole = Array.from({ length: Math.floor(seconds / VRRP_ROUND) }, () => VRRP_ROUND);
  const rest = seconds % VRRP_ROUND;
  return rest === 0 ? whole : [...whole, rest];
}
