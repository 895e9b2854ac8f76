// SPDX-License-Identifier: MIT
/* The serving side of connections: methods listen() and accept(), and who is at the other end. */
#define _GNU_SOURCE
#include "lvsd.h"

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
	if (listen(socket->fd, backlog))
		return throw_errno(env, errno, "listen");
	return NULL;
}

/* accept(): the descriptor of the next connection, the caller's to close; -1 when none waits. */
napi_value socket_accept(napi_env env, napi_callback_info info)
{
	size_t argc = 0;
	int fd;
	struct lvsd_socket *socket = this_open_socket(env, info, &argc, NULL, "accept");

	if (!socket)
		return NULL;
	do
		fd = accept4(socket->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (fd < 0 && errno != EAGAIN)
		return throw_errno(env, errno, "accept");
	return make_int(env, fd);
}

/* peerCredentials(fd): { pid, uid, gid } that connected a Unix socket, as the kernel noted them then. */
napi_value peer_credentials(napi_env env, napi_callback_info info)
{
	size_t argc = 1;
	napi_value argv[1], result = NULL;
	struct ucred peer;
	socklen_t length = sizeof(peer);
	int fd;

	if (napi_get_cb_info(env, info, &argc, argv, NULL, NULL) != napi_ok ||
	    !arg_int(env, argc ? argv[0] : NULL, "fd", &fd))
		return NULL;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length))
		return throw_errno(env, errno, "getsockopt");
	if (napi_create_object(env, &result) != napi_ok)
		return NULL;
	napi_set_named_property(env, result, "pid", make_int(env, peer.pid));
	napi_set_named_property(env, result, "uid", make_int(env, peer.uid));
	napi_set_named_property(env, result, "gid", make_int(env, peer.gid));
	return result;
}
