// SPDX-License-Identifier: MIT
/**
 * Numbers of the IPVS family, spelled as in linux/ip_vs.h. Numbers from 32 up, FULLNAT and commands 18 to 20 exist only
 * in lvsd's patched kernel (docs/kernel.md). Stock kernels interpret some of them differently or ignore them silently.
 */
import { SECRET_LENGTH } from '../base/secret-file.ts';

export const IPVS_GENL_NAME = 'IPVS';

export const IPVS_CMD_NEW_SERVICE = 1;
export const IPVS_CMD_SET_SERVICE = 2;
export const IPVS_CMD_DEL_SERVICE = 3;
export const IPVS_CMD_GET_SERVICE = 4;
export const IPVS_CMD_NEW_DEST = 5;
export const IPVS_CMD_SET_DEST = 6;
export const IPVS_CMD_DEL_DEST = 7;
export const IPVS_CMD_GET_DEST = 8;
export const IPVS_CMD_NEW_DAEMON = 9;
export const IPVS_CMD_DEL_DAEMON = 10;
export const IPVS_CMD_GET_DAEMON = 11;
export const IPVS_CMD_SET_CONFIG = 12;
export const IPVS_CMD_GET_CONFIG = 13;
export const IPVS_CMD_GET_INFO = 15;
export const IPVS_CMD_ZERO = 16;
export const IPVS_CMD_FLUSH = 17;
export const IPVS_CMD_NEW_LADDR = 18;
export const IPVS_CMD_DEL_LADDR = 19;
export const IPVS_CMD_GET_LADDR = 20;
export const IPVS_CMD_SET_SECRET = 36;

/** The exact length of IPVS_CMD_ATTR_SECRET and _COOKIE_SECRET in bytes. */
export const IPVS_SECRET_LENGTH = SECRET_LENGTH;
export const IPVS_SECRET_F_STAGE = 1;

export const IP_VS_SVC_F_PERSISTENT = 0x0001;
export const IP_VS_SVC_F_HASHED = 0x0002;
export const IP_VS_SVC_F_ONEPACKET = 0x0004;
export const IP_VS_SVC_F_SCHED1 = 0x0008;
export const IP_VS_SVC_F_SCHED2 = 0x0010;
export const IP_VS_SVC_F_SCHED3 = 0x0020;
export const IP_VS_SVC_F_SYNPROXY = 0x8000;
/** IPVS_SYNPROXY_ATTR_WSCALE: no window scale is offered. */
export const IP_VS_SYNPROXY_NO_WSCALE = 255;

export const IPVS_DEFENCE_F_DROP_STRAYS = 1;
export const IPVS_DEFENCE_F_DROP_FRAGMENTS = 2;

export const IP_VS_CONN_F_MASQ = 0;
export const IP_VS_CONN_F_LOCALNODE = 1;
export const IP_VS_CONN_F_TUNNEL = 2;
export const IP_VS_CONN_F_DROUTE = 3;
export const IP_VS_CONN_F_BYPASS = 4;
export const IP_VS_CONN_F_FULLNAT = 5;
export const IP_VS_CONN_F_FWD_MASK = 7;

export const IP_VS_CONN_F_TUNNEL_TYPE_IPIP = 0;
export const IP_VS_CONN_F_TUNNEL_TYPE_GUE = 1;
export const IP_VS_CONN_F_TUNNEL_TYPE_GRE = 2;

export const IP_VS_TUNNEL_ENCAP_FLAG_NOCSUM = 0;
export const IP_VS_TUNNEL_ENCAP_FLAG_CSUM = 1;
export const IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM = 2;

export const IP_VS_STATE_MASTER = 1;
export const IP_VS_STATE_BACKUP = 2;

/** IPVS_LADDR_ATTR_FLAGS: serves its existing connections and accepts no new ones. */
export const IP_VS_LADDR_F_DRAIN = 1;

export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
export const IPPROTO_SCTP = 132;
