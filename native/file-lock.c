// SPDX-License-Identifier: MIT
/* flock(2): the kernel releases the lock when the process that holds it ends. */
#include "file-lock.h"
#include "args.h"
#include "error.h"

#include <errno.h>
#include <sys/file.h>

/* lockFile(fd): acquires an exclusive flock(2) without waiting; false if it is held elsewhere. */
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
