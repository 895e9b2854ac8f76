// SPDX-License-Identifier: MIT
// Names of error numbers, against those of Node's own table of errno.h.
import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import { describeErrno, type ErrnoName, errnoName, isErrno } from '../../src/base/errno.ts';

test('each error number has its name of errno.h', () => {
  const unnamed: string[] = [];
  for (const [name, errno] of Object.entries(constants.errno)) {
    // Two names of one number.
    if (name === 'EWOULDBLOCK' || name === 'EOPNOTSUPP') continue;
    const found = errnoName(errno);
    if (found === `E${errno}`) unnamed.push(name);
    else if (errno !== constants.errno.EOPNOTSUPP) assert.equal(found, name);
  }
  // Of no system call or answer that lvsd meets.
  assert.deepEqual(unnamed.sort(), [
    'EBADMSG',
    'EDOM',
    'EDQUOT',
    'EIDRM',
    'EMULTIHOP',
    'ENOLCK',
    'ENOLINK',
    'ENOSR',
    'ENOSTR',
  ]);
  assert.equal(errnoName(constants.errno.EOPNOTSUPP), 'EOPNOTSUPP');
  assert.equal(describeErrno(115), 'operation now in progress (EINPROGRESS)');
  assert.equal(describeErrno(4711), 'error 4711');
});

test('an error is recognized by its number, whatever its sign', () => {
  const error = (errno: number) => Object.assign(new Error('x'), { errno });
  const names: ErrnoName[] = ['ENOENT', 'EPERM'];
  assert.equal(isErrno(error(-2), ...names), true);
  assert.equal(isErrno(error(1), ...names), true);
  assert.equal(isErrno(error(17), ...names), false);
  assert.equal(isErrno(new Error('ENOENT'), ...names), false);
  assert.equal(isErrno('ENOENT', ...names), false);
});
