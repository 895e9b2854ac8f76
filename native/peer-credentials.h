/* SPDX-License-Identifier: MIT */
#ifndef LVSD_PEER_CREDENTIALS_H
#define LVSD_PEER_CREDENTIALS_H

#include <node_api.h>

/* peerCredentials(fd) */
napi_value peer_credentials(napi_env env, napi_callback_info info);

#endif
