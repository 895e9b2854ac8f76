// SPDX-License-Identifier: MIT
/* Methods and properties that concern the descriptor: readiness, reference, ownership. */
#include "args.h"
#include "error.h"
#include "socket-methods.h"
#include "socket.h"

#include <errno.h>

/* watch(events, callback): calls back with 1 (readable), 2 (writable) or 3 until unwatch() or close(). */
napi_value socket_watch(napi_env env, napi_callback_info info)
{
	size_t argc = 2;
	napi_value argv[2], self;
	int events;
	struct lvsd_socket *socket = this_socket(env, info, &argc, argv, &self);

	if (!socket)
		return NULL;
	if (socket->pollable.fd < 0)
		return throw_errno(env, EBADF, "watch");
	if (!arg_int(env, argv[0], "events", &events))
		return NULL;
	if (events < 1 || events > (POLLABLE_READABLE | POLLABLE_WRITABLE))
		return throw_type(env, "events must be 1 (readable), 2 (writable) or 3");
	return pollable_watch(env, &socket->pollable, self, events, argv[1]);
}

napi_value socket_unwatch(napi_env env, napi_callback_info info)
{
	size_t argc = 0;
	struct lvsd_socket *socket = this_socket(env, info, &argc, NULL, NULL);

	if (socket)
		pollable_unwatch(env, &socket->pollable);
	return NULL;
}

static napi_value set_referenced(napi_env env, napi_callback_info info, bool referenced)
{
	size_t argc = 0;
	struct lvsd_socket *socket = this_socket(env, info, &argc, NULL, NULL);

	if (socket)
		pollable_reference(&socket->pollable, referenced);
	return NULL;
}

/* ref(), unref(): whether a watched socket keeps the process alive. The default is that it does. */
napi_value socket_ref(napi_env env, napi_callback_info info)
{
	return set_referenced(env, info, true);
}

napi_value socket_unref(napi_env env, napi_callback_info info)
{
	return set_referenced(env, info, false);
}

napi_value socket_fd(napi_env env, napi_callback_info info)
{
	size_t argc = 0;
	struct lvsd_socket *socket = this_socket(env, info, &argc, NULL, NULL);

	return socket ? make_int(env, socket->pollable.fd) : NULL;
}

napi_value socket_close(napi_env env, napi_callback_info info)
{
	size_t argc = 0;
	struct lvsd_socket *socket = this_socket(env, info, &argc, NULL, NULL);

	if (socket)
		pollable_close(env, &socket->pollable);
	return NULL;
}

/* takeFd(): the descriptor, which the caller must close; the object is closed. */
napi_value socket_take_fd(napi_env env, napi_callback_info info)
{
	size_t argc = 0;
	struct lvsd_socket *socket = this_open_socket(env, info, &argc, NULL, "takeFd");

	return socket ? make_int(env, pollable_release(env, &socket->pollable)) : NULL;
}
