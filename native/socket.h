/* SPDX-License-Identifier: MIT */
/* The native state behind a JavaScript Socket. Its methods are in socket-*.c. */
#ifndef LVSD_SOCKET_H
#define LVSD_SOCKET_H

#include "pollable.h"

#include <node_api.h>
#include <stddef.h>

struct lvsd_socket {
	struct pollable pollable;
};

/* The constructor: new Socket(domain, type, protocol, netnsPath?) */
napi_value socket_construct(napi_env env, napi_callback_info info);

/*
 * Reads `this` and the arguments of a method. NULL with an exception pending if `this` is not a Socket; the second
 * also if it is closed.
 */
struct lvsd_socket *this_socket(napi_env env, napi_callback_info info, size_t *argc, napi_value *argv,
				napi_value *self);
struct lvsd_socket *this_open_socket(napi_env env, napi_callback_info info, size_t *argc, napi_value *argv,
				     const char *syscall);

#endif
