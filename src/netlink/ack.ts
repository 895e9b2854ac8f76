// SPDX-License-Identifier: MIT
/** Reads NLMSG_ERROR and NLMSG_DONE: an errno and, with NETLINK_EXT_ACK, the kernel's message. */
import { type ExtendedAck, MalformedError, NetlinkError } from '../base/errors.ts';
import {
  NLM_F_ACK_TLVS,
  NLM_F_CAPPED,
  NLMSG_ERROR,
  NLMSG_HDRLEN,
  NLMSGERR_ATTR_MISS_NEST,
  NLMSGERR_ATTR_MISS_TYPE,
  NLMSGERR_ATTR_MSG,
  NLMSGERR_ATTR_OFFS,
} from './constants.ts';
import { countNetlinkError } from './counts.ts';
import { host } from './endian.ts';
import { AttributeReader, type MessageView } from './reader.ts';

/** The error of an NLMSG_ERROR or NLMSG_DONE message; undefined when it reports success. */
export function readAck(message: MessageView): NetlinkError | undefined {
  const { buffer, start, end } = message;
  // Old kernels and some families send NLMSG_DONE without payload: success.
  if (end - start < 4) {
    if (message.type === NLMSG_ERROR) throw new MalformedError('NLMSG_ERROR without an errno');
    return undefined;
  }
  const errno = -host.readI32(buffer, start);
  if (errno === 0) return undefined;
  countNetlinkError(errno);
  return new NetlinkError(errno, message.flags & NLM_F_ACK_TLVS ? readExtendedAck(message) : {});
}

function readExtendedAck(message: MessageView): ExtendedAck {
  const { buffer, start, end } = message;
  let at = start + 4;
  if (message.type === NLMSG_ERROR) {
    // Skip the request's header, and its payload unless the message is capped.
    if (end - at < NLMSG_HDRLEN) return {};
    at += message.flags & NLM_F_CAPPED ? NLMSG_HDRLEN : (host.readU32(buffer, at) + 3) & ~3;
  }
  const result: ExtendedAck = {};
  const reader = new AttributeReader(buffer, Math.min(at, end), end);
  while (reader.next()) {
    if (reader.type === NLMSGERR_ATTR_MSG) result.message = reader.string();
    else if (reader.type === NLMSGERR_ATTR_OFFS) result.offset = reader.u32();
    else if (reader.type === NLMSGERR_ATTR_MISS_TYPE) result.missingType = reader.u32();
    else if (reader.type === NLMSGERR_ATTR_MISS_NEST) result.missingNest = reader.u32();
  }
  return result;
}
