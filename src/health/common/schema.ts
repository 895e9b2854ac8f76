// SPDX-License-Identifier: MIT
/** The keys that all kinds of checks have. */
import { address, choice, count, duration, port } from '../../base/schema-words.ts';

/** As used by probers. Times are in milliseconds. */
export interface CommonCheck {
  /** From the start of one probe to the start of the next. */
  interval: number;
  /** A probe without an answer by then has failed; at most `interval`. */
  timeout: number;
  /** Consecutive successes that bring a real server up. */
  rise: number;
  /** Consecutive failures that take it down. */
  fall: number;
  /** State before the first probe: as in the kernel, up, or down. */
  start: 'auto' | 'up' | 'down';
  /** Address and port to probe instead of the real server's; port 0 is the real server's. */
  address: string | undefined;
  port: number;
  /** Source address of probes. */
  bind: string | undefined;
  /** SO_MARK of probes; 0 for none. */
  fwmark: number;
}

/** As written in the file. */
export const commonCheckKeys = {
  interval: duration({
    description: 'From the start of one probe to the start of the next, 100ms to 1d.',
    default: '2s',
    examples: ['5s'],
  }),
  timeout: duration({
    description:
      'A probe without an answer by then has failed. Never longer than the interval. Without this key: one second, or the interval where that is shorter.',
    default: '1s',
    examples: ['500ms'],
  }),
  rise: count(1, 1000, {
    description: 'Successes in a row that bring a real server up.',
    default: 2,
    examples: [1],
  }),
  fall: count(1, 1000, {
    description: 'Failures in a row that take a real server down.',
    default: 3,
    examples: [2],
  }),
  start: choice(['auto', 'up', 'down'], {
    description:
      'State of a real server before its first probe. `auto`: up if it is in the kernel’s table or its service is new, down if the kernel has its service without it.',
    default: 'auto',
    examples: ['down'],
  }),
  address: address({
    description: 'Probe this address instead of the real server’s own.',
    examples: ['10.31.9.4'],
  }),
  port: port({
    description:
      'Probe this port instead of the real server’s own. Needed where the real server has none (all ports, firewall marks).',
    examples: [8080],
  }),
  bind: address({ description: 'Source address of probes.', examples: ['10.31.3.2'] }),
  fwmark: count(0, 0xffffffff, {
    description: 'Firewall mark (SO_MARK) of probes; 0 for none.',
    default: 0,
    examples: [7],
  }),
};
