// SPDX-License-Identifier: MIT
/* Methods listen and accept. */
#define _GNU_SOURCE
#include "args.h"
#include "error.h"
#include "socket-methods.h"
#include "socket.h"

#include <errno.h>
#include <sys/socket.h>

/* listen(backlog) */
napi_value socket_listen(napi_env env, napi_callback_info info)
{
	size_t argc = 1;
	napi_value argv[1];
	int backlog;
	struct lvsd_socket *socket = this_open_socket(env, info, &argc, argv, "listen");

	if (!socket || !arg_int(env, argv[0], "backlog", &backlog))
		return NULL;
	if (listen(socket->pollable.fd, backlog))
		return throw_errno(env, errno, "listen");
	return NULL;
}

/* accept(): the descriptor of the next pending connection, which the caller must close; -1 if there is none. */
napi_value socket_accept(napi_env env, napi_callback_info info)
{
	size_t argc = 0;
	int fd;
	struct lvsd_socket *socket = this_open_socket(env, info, &argc, NULL, "accept");

	if (!socket)
		return NULL;
	do
		fd = accept4(socket->pollable.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (fd < 0 && errno != EAGAIN)
		return throw_errno(env, errno, "accept");
	return make_int(env, fd);
}
