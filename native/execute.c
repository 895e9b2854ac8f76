// SPDX-License-Identifier: MIT
/*
 * execve(2) with fewer capabilities. Linux has them by thread and a thread changes only its own (capabilities(7)), while V8
 * has started threads before the first line of JavaScript; all threads of a new program have those of the one that starts it.
 */
#define _GNU_SOURCE
#include "execute.h"
#include "args.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The calling thread keeps the capabilities of `mask`, bits 0 to 31. Returns 0 or -1 with errno set. */
static int keep_capabilities(__u32 mask)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, sets))
		return -1;
	sets[0].permitted &= mask;
	sets[0].effective &= mask;
	sets[0].inheritable &= mask;
	memset(&sets[1], 0, sizeof(sets[1]));
	return (int)syscall(SYS_capset, &header, sets);
}

/* The program inherits `fd`, and 0, 1 and 2, which Node closes otherwise. Returns 0 or -1 with errno set. */
static int inherit(int fd)
{
	for (int standard = 0; standard < 3; standard++)
		fcntl(standard, F_SETFD, 0);
	return fcntl(fd, F_SETFD, 0);
}

/* Pointers to the strings of `block`, which each end with NUL, and NULL. The caller frees them. Returns NULL with errno set. */
static char **strings_of(struct bytes block)
{
	char *text = (char *)block.data, **strings;
	size_t count = 0, used = 0;

	if (block.length && text[block.length - 1]) {
		errno = EINVAL;
		return NULL;
	}
	for (size_t i = 0; i < block.length; i++)
		count += !text[i];
	strings = calloc(count + 1, sizeof(*strings));
	for (size_t i = 0; strings && used < count; i += strlen(text + i) + 1)
		strings[used++] = text + i;
	return strings;
}

/*
 * execute(path, arguments, environment, fd, capabilities): execve(2), with no_new_privs, and with those capabilities (bits 0
 * to 31, by number of linux/capability.h) of the present ones; without no_new_privs root would get all back. `arguments`, of
 * which the first is the program's name, and `environment` are bytes of strings that each end with NUL. The program
 * inherits `fd`. Returns only by an exception; the calling thread may have lost capabilities then.
 */
napi_value execute(napi_env env, napi_callback_info info)
{
	struct bytes argument_block, environment_block;
	char **arguments, **environment, path[PATH_MAX];
	size_t argc = 5;
	napi_value argv[5] = { NULL };
	int fd, mask, failure;

	if (napi_get_cb_info(env, info, &argc, argv, NULL, NULL) != napi_ok ||
	    !arg_path(env, argv[0], "path", path, sizeof(path)) ||
	    !arg_bytes(env, argv[1], "arguments", &argument_block) ||
	    !arg_bytes(env, argv[2], "environment", &environment_block) || !arg_int(env, argv[3], "fd", &fd) ||
	    !arg_int(env, argv[4], "capabilities", &mask))
		return NULL;
	arguments = strings_of(argument_block);
	environment = strings_of(environment_block);
	if (arguments && environment && !inherit(fd) && !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	    !keep_capabilities((__u32)mask))
		execve(path, arguments, environment);
	failure = errno;
	free(arguments);
	free(environment);
	return throw_errno(env, failure, "execve");
}
