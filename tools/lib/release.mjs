// SPDX-License-Identifier: MIT
/** Texts of a release. */
import { ErrorReport } from './say.mjs';

const HEADING = '## Unreleased\n';

/**
 * CHANGELOG.md with what was unreleased under a version, and an empty "Unreleased" above it.
 * @param {string} text
 * @param {string} version
 * @param {string} date
 */
export function releasedChangelog(text, version, date) {
  const at = text.indexOf(HEADING);
  if (at < 0) throw new ErrorReport('CHANGELOG.md has no section "Unreleased"');
  const after = text.slice(at + HEADING.length);
  const end = after.search(/^## /m);
  if ((end < 0 ? after : after.slice(0, end)).trim() === '')
    throw new ErrorReport('the section "Unreleased" of CHANGELOG.md is empty');
  return `${text.slice(0, at)}${HEADING}\n## ${version} (${date})\n${after}`;
}

/**
 * A dkms.conf, or the source of a module, with another version.
 * @param {string} text
 * @param {string} version
 */
export const withVersion = (text, version) =>
  text
    .replace(/^PACKAGE_VERSION=.*$/m, `PACKAGE_VERSION="${version}"`)
    .replace(/^MODULE_VERSION\(".*"\);$/m, `MODULE_VERSION("${version}");`);

/**
 * A page whose commands and output name another version: lvsd-1.2.3.tgz, lvsd-ipvs/1.2.3, lvsd 1.2.3.
 * @param {string} text
 * @param {string} version
 */
export const withNames = (text, version) => text.replace(/(\blvsd(?:-ipvs|-toa)?[-/ ])\d+\.\d+\.\d+/g, `$1${version}`);
