/* SPDX-License-Identifier: MIT */
#ifndef LVSD_NETNS_H
#define LVSD_NETNS_H

#include <node_api.h>

/* socket(2) in the network namespace that `path` names. Returns the descriptor or a negative errno. */
int socket_in_netns(const char *path, int domain, int type, int protocol);
/* enterNetns(path) */
napi_value enter_netns(napi_env env, napi_callback_info info);

#endif
