// SPDX-License-Identifier: MIT
/** examples/lvsd.service and lvsd-web.service as the lab runs them. */
import { readFileSync } from 'node:fs';

const unitOf = (name: string) =>
  readFileSync(new URL(`../../../examples/${name}`, import.meta.url), 'utf8')
    .replace(/^(Exec\w+=-?)lvs/gm, '$1/opt/lvsd-lab/bin/lvs')
    // This systemd has no network targets to wait for.
    .replace(/^Wants=.*\n/m, '')
    .replace(/^After=.*$/m, 'DefaultDependencies=no');

/**
 * Adds the journal, a shorter watchdog timeout, and the capabilities that docs/operations.md names for `user:`. lvsd
 * runs from this checkout, which may be in /tmp or in a home directory.
 */
const dropIn = `[Unit]
Requires=systemd-journald.socket
After=systemd-journald.socket
[Service]
WatchdogSec=10
CapabilityBoundingSet=CAP_SETUID CAP_SETGID CAP_KILL
PrivateTmp=no
ProtectHome=no
`;

/** The unit's files by their path below /run/systemd/system. */
export const UNIT = { 'lvsd.service': unitOf('lvsd.service'), 'lvsd.service.d/lab.conf': dropIn };

/** lvsd web, started by hand, and what docs/web.md adds to lvsd's unit for it. There must be a group lvsd. */
export const WEB_UNIT = {
  'lvsd.service.d/web.conf': '[Service]\nSupplementaryGroups=lvsd\n',
  'lvsd-web.service': unitOf('lvsd-web.service'),
  'lvsd-web.service.d/lab.conf': '[Service]\nPrivateTmp=no\nProtectHome=no\n',
};
