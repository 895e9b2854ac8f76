// SPDX-License-Identifier: MIT
/** The read-only socket, for monitoring by members of a group. */
import { dirname, join } from 'node:path';
import { errorLine } from '../../base/error-line.ts';
import { findGroupNow } from '../../base/users.ts';
import { READ_ONLY } from '../../control/methods.ts';
import { ControlServer, type ControlServerOptions } from '../../control/server.ts';

const GROUP = 'lvsd';

/**
 * Listens on `read.sock` beside the control socket, with clients of its own. Undefined: there is no group lvsd, or the
 * socket could not be created, which is logged and no reason not to start.
 */
export function openReadOnly(
  control: string,
  options: Omit<ControlServerOptions, 'path' | 'group' | 'methods'>,
  group = findGroupNow(GROUP),
): ControlServer | undefined {
  // An abstract name has no folder.
  if (group === undefined || control.startsWith('@')) return undefined;
  const path = join(dirname(control), 'read.sock');
  try {
    return new ControlServer({ ...options, path, group, methods: READ_ONLY });
  } catch (error) {
    options.log.warn(`no read-only socket for group ${GROUP}: ${errorLine(error)}`);
    return undefined;
  }
}
