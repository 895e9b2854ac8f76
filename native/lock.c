// SPDX-License-Identifier: MIT
/* A lock that the kernel drops when its holder dies, however it dies. */
#include "lvsd.h"

#include <errno.h>
#include <sys/file.h>

/* lockFile(fd): takes flock(2)'s exclusive lock without waiting; false when someone else has it. */
napi_value lock_file(napi_env env, napi_callback_info info)
{
	size_t argc = 1;
	napi_value argv[1], result = NULL;
	int fd, failed;

	if (napi_get_cb_info(env, info, &argc, argv, NULL, NULL) != napi_ok ||
	    !arg_int(env, argc ? argv[0] : NULL, "fd", &fd))
		return NULL;
	do
		failed = flock(fd, LOCK_EX | LOCK_NB);
	while (failed && errno == EINTR);
	if (failed && errno != EWOULDBLOCK)
		return throw_errno(env, errno, "flock");
	napi_get_boolean(env, !failed, &result);
	return result;
}
