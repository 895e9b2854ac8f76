// SPDX-License-Identifier: MIT
// lvsd/generic-netlink as another program imports it: by the package's name, from the built bundle.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const top = resolve(fileURLToPath(import.meta.url), '../../../..');

test('the package’s export finds nlctrl, and rejects an unknown family', () => {
  const program = `
    import { GenericNetlink } from 'lvsd/generic-netlink';
    const netlink = new GenericNetlink();
    const { id, name } = await netlink.family('nlctrl');
    const failure = await netlink.family('NO_SUCH').catch(({ code }) => code);
    const known = await netlink.dump('nlctrl', 3, () => {}, ({ command }) => command);
    console.log(JSON.stringify([name, id, failure, known.length > 0]));
  `;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd: top,
    encoding: 'utf8',
  });
  assert.equal(stdout, '["nlctrl",16,"ERR_LVSD_UNKNOWN_FAMILY",true]\n', stderr);
});
