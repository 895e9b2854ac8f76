// SPDX-License-Identifier: MIT
/** Parts that several schemas share. */
import { Type } from '@sinclair/typebox';

/*
 * Keywords of our own: `x-part` names what the build moves to `definitions`, `x-later` keys that later versions will
 * have, `x-name` the allowed keys of a map as text.
 */

/** By the map that they will stand in. */
export const LATER = {
  track: ['self', 'files', 'scripts', 'processes'],
  vrrp: ['routes', 'rules', 'accept', 'virtual_mac', 'notify', 'checksum', 'group_address', 'source_lost'],
  group: ['notify'],
};
export const NAME = '^(?![0-9]+$)[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$';
export const NAME_WORDS =
  'a name of letters, digits, dot, dash and underscore (at most 64, not digits alone, beginning with a letter, a digit or _)';

/** A virtual router of `vrrp`, by its name. */
export const follow = (description: string) =>
  Type.String({ title: 'the name of a virtual router of vrrp', pattern: NAME, description, examples: ['edge'] });

/** The name of a network device, as the kernel allows it (dev_valid_name). */
export const device = (description: string) =>
  Type.String({
    title: 'the name of a network device (at most 15 characters, without blanks and slashes)',
    pattern: '^(?!\\.{1,2}$)[!-.0-9;-~]{1,15}$',
    description,
    examples: ['eth1'],
  });
