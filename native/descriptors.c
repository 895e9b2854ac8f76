// SPDX-License-Identifier: MIT
/* Descriptors that programs started by this process must not inherit. */
#define _GNU_SOURCE
#include "descriptors.h"
#include "error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

/*
 * closeOnExec(): sets FD_CLOEXEC on all open descriptors but 0, 1 and 2. Not close_range(2), which container runtimes
 * with an older seccomp profile reject.
 */
napi_value close_on_exec(napi_env env, napi_callback_info info)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	(void)info;
	if (!dir)
		return throw_errno(env, errno, "opendir");
	while ((entry = readdir(dir))) {
		int fd = atoi(entry->d_name);

		if (fd > 2)
			fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
	closedir(dir);
	return NULL;
}
