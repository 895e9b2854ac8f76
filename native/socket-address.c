// SPDX-License-Identifier: MIT
/* Methods that name an end of a socket: bind, connect, getsockname. */
#include "args.h"
#include "error.h"
#include "socket-methods.h"
#include "socket.h"

#include <errno.h>
#include <sys/socket.h>

static napi_value named(napi_env env, napi_callback_info info, const char *syscall,
			int (*call)(int, const struct sockaddr *, socklen_t))
{
	size_t argc = 1;
	napi_value argv[1];
	struct bytes address;
	struct lvsd_socket *socket = this_open_socket(env, info, &argc, argv, syscall);

	if (!socket || !arg_bytes(env, argv[0], "address", &address))
		return NULL;
	if (call(socket->pollable.fd, (const struct sockaddr *)address.data, address.length))
		return throw_errno(env, errno, syscall);
	return NULL;
}

napi_value socket_bind(napi_env env, napi_callback_info info)
{
	return named(env, info, "bind", bind);
}

/* connect(address): EINPROGRESS is thrown like any other errno; watch for writable, then read SO_ERROR. */
napi_value socket_connect(napi_env env, napi_callback_info info)
{
	return named(env, info, "connect", connect);
}

/* tryConnect(address): 0, or the errno as a positive number: cheaper than exceptions for thousands of connections. */
napi_value socket_try_connect(napi_env env, napi_callback_info info)
{
	size_t argc = 1;
	napi_value argv[1];
	struct bytes address;
	struct lvsd_socket *socket = this_open_socket(env, info, &argc, argv, "connect");

	if (!socket || !arg_bytes(env, argv[0], "address", &address))
		return NULL;
	return make_int(env, connect(socket->pollable.fd, (const struct sockaddr *)address.data, address.length) ? errno : 0);
}

napi_value socket_getsockname(napi_env env, napi_callback_info info)
{
	size_t argc = 0;
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	napi_value result = NULL;
	struct lvsd_socket *socket = this_open_socket(env, info, &argc, NULL, "getsockname");

	if (!socket)
		return NULL;
	if (getsockname(socket->pollable.fd, (struct sockaddr *)&address, &length))
		return throw_errno(env, errno, "getsockname");
	napi_create_buffer_copy(env, length < sizeof(address) ? length : sizeof(address), &address, NULL, &result);
	return result;
}
