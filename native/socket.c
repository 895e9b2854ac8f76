// SPDX-License-Identifier: MIT
/*
 * class Socket: a non-blocking socket of any family. Addresses, options and control
 * messages are bytes in the kernel's own layout; what they mean is JavaScript's business.
 */
#define _GNU_SOURCE
#include "lvsd.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Largest value that getsockopt() is asked for; classic BPF filters are the largest there are. */
#define OPTION_MAX 65536

static const napi_type_tag socket_tag = { 0x6c767364736f636bULL, 0x9f1d2a6be0c34d57ULL };

static void finalize(napi_env env, void *data, void *hint)
{
	struct lvsd_socket *socket = data;

	(void)hint;
	drop_poller(env, socket);
	if (socket->fd >= 0)
		close(socket->fd);
	free(socket);
}

struct lvsd_socket *this_socket(napi_env env, napi_callback_info info, size_t *argc, napi_value *argv,
				napi_value *self)
{
	napi_value object;
	bool ours = false;
	void *data;

	if (napi_get_cb_info(env, info, argc, argv, &object, NULL) != napi_ok ||
	    napi_check_object_type_tag(env, object, &socket_tag, &ours) != napi_ok || !ours ||
	    napi_unwrap(env, object, &data) != napi_ok) {
		throw_type(env, "this is not a Socket");
		return NULL;
	}
	if (self)
		*self = object;
	return data;
}

struct lvsd_socket *this_open_socket(napi_env env, napi_callback_info info, size_t *argc, napi_value *argv,
				     const char *syscall)
{
	struct lvsd_socket *socket = this_socket(env, info, argc, argv, NULL);

	if (socket && socket->fd < 0) {
		throw_errno(env, EBADF, syscall);
		return NULL;
	}
	return socket;
}

/* new Socket(domain, type, protocol, netnsPath?) */
static napi_value construct(napi_env env, napi_callback_info info)
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
	object->fd = fd;
	object->referenced = true;
	if (napi_wrap(env, self, object, finalize, NULL, NULL) != napi_ok) {
		close(fd);
		free(object);
		return throw_type(env, "this object cannot become a Socket");
	}
	/* From here on the finalizer owns the object; without its tag no method will touch it. */
	napi_type_tag_object(env, self, &socket_tag);
	return self;
}

static napi_value named(napi_env env, napi_callback_info info, const char *syscall,
			int (*call)(int, const struct sockaddr *, socklen_t))
{
	size_t argc = 1;
	napi_value argv[1];
	struct bytes address;
	struct lvsd_socket *socket = this_open_socket(env, info, &argc, argv, syscall);

	if (!socket || !arg_bytes(env, argv[0], "address", &address))
		return NULL;
	if (call(socket->fd, (const struct sockaddr *)address.data, address.length))
		return throw_errno(env, errno, syscall);
	return NULL;
}

static napi_value socket_bind(napi_env env, napi_callback_info info)
{
	return named(env, info, "bind", bind);
}

/* connect(address): EINPROGRESS is thrown like any other errno; watch for writable, then ask for SO_ERROR. */
static napi_value socket_connect(napi_env env, napi_callback_info info)
{
	return named(env, info, "connect", connect);
}

/* tryConnect(address): 0, or the errno as a positive number, for who connects by the thousand. */
static napi_value socket_try_connect(napi_env env, napi_callback_info info)
{
	size_t argc = 1;
	napi_value argv[1];
	struct bytes address;
	struct lvsd_socket *socket = this_open_socket(env, info, &argc, argv, "connect");

	if (!socket || !arg_bytes(env, argv[0], "address", &address))
		return NULL;
	return make_int(env, connect(socket->fd, (const struct sockaddr *)address.data, address.length) ? errno : 0);
}

static napi_value socket_getsockname(napi_env env, napi_callback_info info)
{
	size_t argc = 0;
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);
	napi_value result = NULL;
	struct lvsd_socket *socket = this_open_socket(env, info, &argc, NULL, "getsockname");

	if (!socket)
		return NULL;
	if (getsockname(socket->fd, (struct sockaddr *)&address, &length))
		return throw_errno(env, errno, "getsockname");
	napi_create_buffer_copy(env, length < sizeof(address) ? length : sizeof(address), &address, NULL, &result);
	return result;
}

/* setsockopt(level, name, value): an integer for options that are an int, else the bytes of the structure. */
static napi_value socket_setsockopt(napi_env env, napi_callback_info info)
{
	size_t argc = 3;
	napi_value argv[3];
	napi_valuetype type;
	int level, name, number;
	struct bytes value;
	struct lvsd_socket *socket = this_open_socket(env, info, &argc, argv, "setsockopt");

	if (!socket || !arg_int(env, argv[0], "level", &level) || !arg_int(env, argv[1], "name", &name))
		return NULL;
	if (napi_typeof(env, argv[2], &type) == napi_ok && type == napi_number) {
		if (!arg_int(env, argv[2], "value", &number))
			return NULL;
		value.data = (uint8_t *)&number;
		value.length = sizeof(number);
	} else if (!arg_bytes(env, argv[2], "value", &value)) {
		return NULL;
	}
	if (setsockopt(socket->fd, level, name, value.data, value.length))
		return throw_errno(env, errno, "setsockopt");
	return NULL;
}

/* getsockopt(level, name, length): at most `length` bytes. */
static napi_value socket_getsockopt(napi_env env, napi_callback_info info)
{
	size_t argc = 3;
	napi_value argv[3], result = NULL;
	int level, name, wanted, error;
	socklen_t length;
	void *value;
	struct lvsd_socket *socket = this_open_socket(env, info, &argc, argv, "getsockopt");

	if (!socket || !arg_int(env, argv[0], "level", &level) || !arg_int(env, argv[1], "name", &name) ||
	    !arg_int(env, argv[2], "length", &wanted))
		return NULL;
	if (wanted < 1 || wanted > OPTION_MAX)
		return throw_type(env, "length must be from 1 to 65536");
	value = calloc(1, wanted);
	if (!value)
		return throw_errno(env, ENOMEM, "getsockopt");
	length = wanted;
	if (getsockopt(socket->fd, level, name, value, &length)) {
		error = errno;
		free(value);
		return throw_errno(env, error, "getsockopt");
	}
	napi_create_buffer_copy(env, length < (socklen_t)wanted ? length : (socklen_t)wanted, value, NULL, &result);
	free(value);
	return result;
}

static napi_value socket_fd(napi_env env, napi_callback_info info)
{
	size_t argc = 0;
	struct lvsd_socket *socket = this_socket(env, info, &argc, NULL, NULL);

	return socket ? make_int(env, socket->fd) : NULL;
}

static napi_value socket_close(napi_env env, napi_callback_info info)
{
	size_t argc = 0;
	struct lvsd_socket *socket = this_socket(env, info, &argc, NULL, NULL);

	if (!socket || socket->fd < 0)
		return NULL;
	drop_poller(env, socket);
	close(socket->fd);
	socket->fd = -1;
	return NULL;
}

/* takeFd(): the descriptor, now the caller's to close; the object is closed. */
static napi_value socket_take_fd(napi_env env, napi_callback_info info)
{
	size_t argc = 0;
	int fd;
	struct lvsd_socket *socket = this_open_socket(env, info, &argc, NULL, "takeFd");

	if (!socket)
		return NULL;
	drop_poller(env, socket);
	fd = socket->fd;
	socket->fd = -1;
	return make_int(env, fd);
}

napi_value define_socket(napi_env env, napi_value exports)
{
#define METHOD(name, function) { name, NULL, function, NULL, NULL, NULL, napi_default_method, NULL }
	napi_property_descriptor members[] = {
		{ "fd", NULL, NULL, socket_fd, NULL, NULL, napi_default, NULL },
		METHOD("bind", socket_bind),
		METHOD("connect", socket_connect),
		METHOD("tryConnect", socket_try_connect),
		METHOD("listen", socket_listen),
		METHOD("accept", socket_accept),
		METHOD("getsockname", socket_getsockname),
		METHOD("setsockopt", socket_setsockopt),
		METHOD("getsockopt", socket_getsockopt),
		METHOD("send", socket_send),
		METHOD("sendBatch", socket_send_batch),
		METHOD("receive", socket_receive),
		METHOD("watch", socket_watch),
		METHOD("unwatch", socket_unwatch),
		METHOD("ref", socket_ref),
		METHOD("unref", socket_unref),
		METHOD("takeFd", socket_take_fd),
		METHOD("close", socket_close),
	};
#undef METHOD
	napi_value class;

	if (napi_define_class(env, "Socket", NAPI_AUTO_LENGTH, construct, NULL,
			      sizeof(members) / sizeof(members[0]), members, &class) != napi_ok ||
	    napi_set_named_property(env, exports, "Socket", class) != napi_ok)
		return NULL;
	return class;
}
