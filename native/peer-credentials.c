// SPDX-License-Identifier: MIT
/* The process at the other end of a Unix socket. */
#define _GNU_SOURCE
#include "peer-credentials.h"
#include "args.h"
#include "error.h"

#include <errno.h>
#include <sys/socket.h>

/* peerCredentials(fd): { pid, uid, gid } of the process that connected, as recorded by the kernel at that time. */
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
