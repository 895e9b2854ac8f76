// SPDX-License-Identifier: MIT
/** `-j` and `--synproxy-opts`: mss=1400,wscale=none,sack=off,timestamps=off,window=4096. */
import { completeSynProxy, IP_VS_SYNPROXY_NO_WSCALE, type SynProxy } from '../../ipvs/index.ts';
import { usage } from '../errors.ts';
import { parseNumber } from './values.ts';

type Setting = Exclude<keyof SynProxy, 'enabled'>;

const SETTINGS: Readonly<Record<string, Setting>> = {
  mss: 'mss',
  wscale: 'windowScale',
  sack: 'sack',
  timestamps: 'timestamps',
  window: 'window',
};
const SMALLEST_MSS = 216;

/** Throws a usage error. */
export function parseSynProxyOptions(list: string): Partial<SynProxy> {
  const found: Partial<SynProxy> = {};
  for (const word of list.split(',')) {
    const equals = word.indexOf('=');
    const setting = Object.hasOwn(SETTINGS, word.slice(0, equals)) ? SETTINGS[word.slice(0, equals)] : undefined;
    const value = setting && parseSetting(setting, word.slice(equals + 1));
    if (setting === undefined || value === undefined || found[setting] !== undefined)
      throw usage(
        `\`${word}' in --synproxy-opts: write mss=0|${SMALLEST_MSS}-65535, wscale=0-14|none, sack=on|off, timestamps=on|off, window=0-65535`,
      );
    Object.assign(found, { [setting]: value });
  }
  return found;
}

function parseSetting(setting: Setting, text: string): number | boolean | undefined {
  switch (setting) {
    case 'mss':
      return text === '0' ? 0 : parseNumber(text, SMALLEST_MSS, 65_535);
    case 'windowScale':
      return text === 'none' ? IP_VS_SYNPROXY_NO_WSCALE : parseNumber(text, 0, 14);
    case 'window':
      return parseNumber(text, 0, 65_535);
    default:
      return text === 'on' ? true : text === 'off' ? false : undefined;
  }
}

/** ` -j enable` and the settings that are not the defaults, for a rule; empty without SYN proxy. */
export function synProxyOptions(synProxy: SynProxy | undefined): string {
  if (!synProxy?.enabled) return '';
  const actual = completeSynProxy(synProxy);
  const usual = completeSynProxy({ enabled: true });
  const settings = Object.entries(SETTINGS)
    .filter(([, setting]) => actual[setting] !== usual[setting])
    .map(([name, setting]) => `${name}=${settingText(setting, actual[setting])}`);
  return ` -j enable${settings.length > 0 ? ` --synproxy-opts ${settings.join(',')}` : ''}`;
}

function settingText(setting: Setting, value: number | boolean): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  return setting === 'windowScale' && value === IP_VS_SYNPROXY_NO_WSCALE ? 'none' : String(value);
}
