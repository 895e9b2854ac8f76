// SPDX-License-Identifier: MIT
/** `lvsd/generic-netlink`: netlink for Node; errors carry the kernel's own messages. */
export { type Decoded, decodeTable, encodeTable, type Scalar, type Table } from './attributes.ts';
export { NetlinkClient, type NetlinkClientOptions, type RequestOptions } from './client.ts';
export { netlinkCounts } from './counts.ts';
export {
  type GenericFamily,
  type GenericMessage,
  GenericNetlink,
  genericMessage,
  UnknownFamilyError,
} from './generic.ts';
export { type NotificationHandlers, Subscription } from './notifications.ts';
export { AttributeReader, MessageView } from './reader.ts';
export { MessageWriter } from './writer.ts';
