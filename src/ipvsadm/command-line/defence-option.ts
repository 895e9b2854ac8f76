// SPDX-License-Identifier: MIT
/** `--defence drop-strays,drop-fragments,syn-rate=5000,syn-burst=500`, or `none`. */
import { canonicalDefence, type Defence, isDefended, NO_DEFENCE } from '../../ipvs/index.ts';
import { usage } from '../errors.ts';
import { parseNumber } from './values.ts';

const MOST_SYNS = 1_000_000;

/** Throws a usage error. A limit without a burst lets as many SYNs pass at once as in a second. */
export function parseDefence(list: string): Defence {
  if (list === 'none') return NO_DEFENCE;
  const found: Partial<Defence> = {};
  for (const word of list.split(',')) {
    const [name, value] = parseWord(word);
    if (name === undefined || value === undefined || found[name] !== undefined)
      throw usage(
        `\`${word}' in --defence: write none, or drop-strays, drop-fragments, syn-rate=1-${MOST_SYNS}, syn-burst=1-${MOST_SYNS}`,
      );
    Object.assign(found, { [name]: value });
  }
  if (found.synBurst !== undefined && found.synRate === undefined)
    throw usage('--defence syn-burst=... needs syn-rate=...');
  return canonicalDefence({ ...NO_DEFENCE, synBurst: found.synRate ?? 1, ...found });
}

function parseWord(word: string): [keyof Defence, boolean | number | undefined] | [] {
  if (word === 'drop-strays') return ['dropStrays', true];
  if (word === 'drop-fragments') return ['dropFragments', true];
  const [name, text = ''] = word.split('=', 2);
  if (name === 'syn-rate') return ['synRate', parseNumber(text, 1, MOST_SYNS)];
  if (name === 'syn-burst') return ['synBurst', parseNumber(text, 1, MOST_SYNS)];
  return [];
}

/** ` --defence ...` of a rule; empty without a defence. */
export function defenceOption(defence: Defence | undefined): string {
  if (!isDefended(defence)) return '';
  const { dropStrays, dropFragments, synRate, synBurst } = defence;
  const words = [
    ...(dropStrays ? ['drop-strays'] : []),
    ...(dropFragments ? ['drop-fragments'] : []),
    ...(synRate > 0 ? [`syn-rate=${synRate}`] : []),
    ...(synRate > 0 && synBurst !== synRate ? [`syn-burst=${synBurst}`] : []),
  ];
  return ` --defence ${words.join(',')}`;
}
