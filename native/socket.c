// SPDX-License-Identifier: MIT
/*
 * A non-blocking socket of any family. Addresses, options and control messages are bytes in the kernel's layout;
 * JavaScript builds and parses them.
 */
#define _GNU_SOURCE
#include "socket.h"
#include "args.h"
#include "error.h"
#include "netns.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const napi_type_tag socket_tag = { 0x6c767364736f636bULL, 0x9f1d2a6be0c34d57ULL };

static void finalize(napi_env env, void *data, void *hint)
{
	struct lvsd_socket *socket = data;

	(void)hint;
	pollable_close(env, &socket->pollable);
	free(socket);
}

struct lvsd_socket *this_socket(napi_env env, napi_callback_info info, size_t *argc, napi_value *argv,
				napi_value *self)
{
	return arg_this(env, info, argc, argv, self, &socket_tag, "this is not a Socket");
}

struct lvsd_socket *this_open_socket(napi_env env, napi_callback_info info, size_t *argc, napi_value *argv,
				     const char *syscall)
{
	struct lvsd_socket *socket = this_socket(env, info, argc, argv, NULL);

	if (socket && socket->pollable.fd < 0) {
		throw_errno(env, EBADF, syscall);
		return NULL;
	}
	return socket;
}

napi_value socket_construct(napi_env env, napi_callback_info info)
{
	size_t argc = 4;
	napi_value argv[4], self, target = NULL;
	int domain, type, protocol, fd;
	struct lvsd_socket *object;
	char path[PATH_MAX];

	if (napi_get_new_target(env, info, &target) != napi_ok || !target)
		return throw_type(env, "Socket is a class: use new");
	if (napi_get_cb_info(env, info, &argc, argv, &self, NULL) != napi_ok ||
	    !arg_int(env, argv[0], "domain", &domain) || !arg_int(env, argv[1], "type", &type) ||
	    !arg_int(env, argv[2], "protocol", &protocol))
		return NULL;
	type |= SOCK_NONBLOCK | SOCK_CLOEXEC;
	if (arg_missing(env, argv[3])) {
		fd = socket(domain, type, protocol);
		if (fd < 0)
			fd = -errno;
	} else {
		if (!arg_path(env, argv[3], "netns", path, sizeof(path)))
			return NULL;
		fd = socket_in_netns(path, domain, type, protocol);
	}
	if (fd < 0)
		return throw_errno(env, -fd, "socket");
	object = calloc(1, sizeof(*object));
	if (!object) {
		close(fd);
		return throw_errno(env, ENOMEM, "socket");
	}
	pollable_init(&object->pollable, fd);
	if (napi_wrap(env, self, object, finalize, NULL, NULL) != napi_ok) {
		close(fd);
		free(object);
		return throw_type(env, "this object cannot become a Socket");
	}
	/* From here on the finalizer owns the object. If tagging fails, every method rejects it. */
	napi_type_tag_object(env, self, &socket_tag);
	return self;
}
