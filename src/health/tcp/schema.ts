// SPDX-License-Identifier: MIT
import { Type } from '@sinclair/typebox';
import { type CommonCheck, commonCheckKeys } from '../common/schema.ts';

/** Opens a connection and closes it. */
export interface TcpCheck extends CommonCheck {
  type: 'tcp';
}

export const tcpCheckSchema = Type.Object(
  { type: Type.Literal('tcp'), ...Type.Partial(Type.Object(commonCheckKeys)).properties },
  {
    additionalProperties: false,
    title: 'a tcp check',
    description: 'Healthy if the connection is accepted; it is then closed.',
  },
);
