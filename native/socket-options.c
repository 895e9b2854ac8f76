// SPDX-License-Identifier: MIT
/* Methods setsockopt, getsockopt and attachFilter. */
#include "args.h"
#include "error.h"
#include "socket-methods.h"
#include "socket.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Largest value that getsockopt() returns; classic BPF filters are the largest there are. */
#define OPTION_MAX 65536

/* setsockopt(level, name, value): an integer for options that are an int, else the bytes of the structure. */
napi_value socket_setsockopt(napi_env env, napi_callback_info info)
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
	if (setsockopt(socket->pollable.fd, level, name, value.data, value.length))
		return throw_errno(env, errno, "setsockopt");
	return NULL;
}

/* attachFilter(instructions): a classic BPF program, struct sock_filter for struct sock_filter. */
napi_value socket_attach_filter(napi_env env, napi_callback_info info)
{
	size_t argc = 1;
	napi_value argv[1];
	struct bytes program;
	struct sock_fprog filter;
	struct lvsd_socket *socket = this_open_socket(env, info, &argc, argv, "setsockopt");

	if (!socket || !arg_bytes(env, argv[0], "instructions", &program))
		return NULL;
	if (program.length == 0 || program.length % sizeof(*filter.filter) != 0 ||
	    program.length / sizeof(*filter.filter) > BPF_MAXINSNS)
		return throw_type(env, "instructions must be 1 to 4096 of 8 bytes");
	filter.len = program.length / sizeof(*filter.filter);
	/* The kernel copies the program, whatever its alignment. */
	filter.filter = (void *)program.data;
	if (setsockopt(socket->pollable.fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)))
		return throw_errno(env, errno, "setsockopt");
	return NULL;
}

/* getsockopt(level, name, length): at most `length` bytes. */
napi_value socket_getsockopt(napi_env env, napi_callback_info info)
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
	if (getsockopt(socket->pollable.fd, level, name, value, &length)) {
		error = errno;
		free(value);
		return throw_errno(env, error, "getsockopt");
	}
	napi_create_buffer_copy(env, length < (socklen_t)wanted ? length : (socklen_t)wanted, value, NULL, &result);
	free(value);
	return result;
}
