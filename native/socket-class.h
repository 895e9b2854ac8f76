/* SPDX-License-Identifier: MIT */
#ifndef LVSD_SOCKET_CLASS_H
#define LVSD_SOCKET_CLASS_H

#include <node_api.h>

/* Adds class Socket to `exports` and returns it; NULL on failure. */
napi_value define_socket(napi_env env, napi_value exports);

#endif
