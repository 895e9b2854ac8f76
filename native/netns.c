// SPDX-License-Identifier: MIT
/* Network namespaces. Each thread is in one; a socket stays in the one that it was created in. */
#define _GNU_SOURCE
#include "netns.h"
#include "args.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
	int netns, domain, type, protocol;
	int fd, error;
};

static void *open_socket(void *argument)
{
	struct request *request = argument;

	request->fd = -1;
	if (setns(request->netns, CLONE_NEWNET) == 0)
		request->fd = socket(request->domain, request->type, request->protocol);
	if (request->fd < 0)
		request->error = errno;
	return NULL;
}

/*
 * `path` is /run/netns/x or /proc/PID/ns/net. A short-lived thread enters the namespace and opens the socket: the
 * calling thread never leaves its own, so there is no return that could fail.
 */
int socket_in_netns(const char *path, int domain, int type, int protocol)
{
	struct request request = { .domain = domain, .type = type, .protocol = protocol };
	pthread_t thread;
	int error;

	request.netns = open(path, O_RDONLY | O_CLOEXEC);
	if (request.netns < 0)
		return -errno;
	error = pthread_create(&thread, NULL, open_socket, &request);
	if (!error)
		pthread_join(thread, NULL);
	close(request.netns);
	if (error)
		return -error;
	return request.fd < 0 ? -request.error : request.fd;
}

/* enterNetns(path): moves the calling thread; sockets and processes that it creates later follow. */
napi_value enter_netns(napi_env env, napi_callback_info info)
{
	size_t argc = 1;
	napi_value argv[1];
	char path[PATH_MAX];
	int fd, error = 0;

	if (napi_get_cb_info(env, info, &argc, argv, NULL, NULL) != napi_ok ||
	    !arg_path(env, argc ? argv[0] : NULL, "path", path, sizeof(path)))
		return NULL;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return throw_errno(env, errno, "open");
	if (setns(fd, CLONE_NEWNET))
		error = errno;
	close(fd);
	return error ? throw_errno(env, error, "setns") : NULL;
}
