// SPDX-License-Identifier: MIT
/* A file's content where the kernel already has it. */
#define _GNU_SOURCE
#include "file.h"
#include "args.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* NULL with errno set, and `call` naming what failed. */
static void *map(const char *path, size_t *size, const char **call)
{
	struct stat file;
	void *data = MAP_FAILED;
	int number, fd;

	*call = "open";
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return NULL;
	*call = "fstat";
	if (!fstat(fd, &file)) {
		*call = "mmap";
		*size = file.st_size;
		data = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	}
	number = errno;
	close(fd);
	errno = number;
	return data == MAP_FAILED ? NULL : data;
}

/*
 * mapFile(path): the content of a regular file that is not empty, as a Buffer. Nothing is copied: pages come as
 * they are touched, so whoever changes the file must put another one into its place. Mapped until the process
 * ends; writing to it makes a copy of our own.
 */
napi_value map_file(napi_env env, napi_callback_info info)
{
	size_t argc = 1, size;
	napi_value argv[1], result = NULL;
	char path[PATH_MAX];
	const char *call;
	void *data;

	if (napi_get_cb_info(env, info, &argc, argv, NULL, NULL) != napi_ok ||
	    !arg_path(env, argc ? argv[0] : NULL, "path", path, sizeof(path)))
		return NULL;
	data = map(path, &size, &call);
	if (!data)
		return throw_errno(env, errno, call);
	if (napi_create_external_buffer(env, size, data, NULL, NULL, &result) != napi_ok)
		munmap(data, size);
	return result;
}
