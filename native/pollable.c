// SPDX-License-Identifier: MIT
/*
 * Watches file descriptors with uv_poll_t. The libuv handle outlives the pollable (its memory may be freed only after
 * libuv's close callback), so it is a separate allocation; each points to the other only while both are alive.
 */
#include "pollable.h"
#include "error.h"
#include "uv-abi.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

_Static_assert(POLLABLE_READABLE == LVSD_UV_READABLE && POLLABLE_WRITABLE == LVSD_UV_WRITABLE,
	       "events are passed through unchanged");

struct poller {
	napi_env env;
	struct pollable *owner;		/* NULL once unwatched */
	uv_poll_t *handle;
	int events;
	bool closing;
	napi_ref self;			/* keeps the JavaScript object alive while it is watched */
	napi_ref callback;
	napi_async_cleanup_hook_handle hook;
};

static void on_closed(uv_handle_t *handle)
{
	struct poller *poller = uv_handle_get_data(handle);

	if (poller->hook)
		napi_remove_async_cleanup_hook(poller->hook);
	free(poller->handle);
	free(poller);
}

static void close_handle(struct poller *poller)
{
	if (poller->closing)
		return;
	poller->closing = true;
	if (poller->owner)
		poller->owner->poller = NULL;
	poller->owner = NULL;
	uv_close((uv_handle_t *)poller->handle, on_closed);
}

/* At process exit and worker.terminate(): references are freed with the environment, the handle must be closed. */
static void on_environment_end(napi_async_cleanup_hook_handle hook, void *data)
{
	(void)hook;
	close_handle(data);
}

void pollable_unwatch(napi_env env, struct pollable *pollable)
{
	struct poller *poller = pollable->poller;

	if (!poller)
		return;
	if (poller->self)
		napi_delete_reference(env, poller->self);
	if (poller->callback)
		napi_delete_reference(env, poller->callback);
	close_handle(poller);
}

static void report(napi_env env)
{
	bool pending = false;
	napi_value error;

	/* An exception in a callback is an uncaught exception of the program, as with any other event. */
	if (napi_is_exception_pending(env, &pending) == napi_ok && pending &&
	    napi_get_and_clear_last_exception(env, &error) == napi_ok)
		napi_fatal_exception(env, error);
}

static void on_ready(uv_poll_t *handle, int status, int events)
{
	struct poller *poller = uv_handle_get_data((uv_handle_t *)handle);
	napi_env env = poller->env;
	napi_handle_scope scope;
	napi_value self, callback, argument;

	if (poller->closing || napi_open_handle_scope(env, &scope) != napi_ok)
		return;
	/*
	 * EPOLLERR (a netlink receive overrun, a link that went down) arrives as UV_EBADF, and libuv has stopped
	 * watching. The error itself is still in the socket: the next receive returns it.
	 */
	if (status < 0)
		events = poller->events;
	if (napi_get_reference_value(env, poller->self, &self) == napi_ok && self &&
	    napi_get_reference_value(env, poller->callback, &callback) == napi_ok && callback &&
	    napi_create_int32(env, events, &argument) == napi_ok) {
		/* The callback may close the socket, but `poller` is not freed before this function returns. */
		if (napi_make_callback(env, NULL, self, callback, 1, &argument, NULL) != napi_ok)
			report(env);
		if (status < 0 && !poller->closing)
			uv_poll_start(handle, poller->events, on_ready);
	}
	napi_close_handle_scope(env, scope);
}

static struct poller *create_poller(napi_env env, struct pollable *pollable, int *error)
{
	struct uv_loop_s *loop;
	struct poller *poller;

	if (napi_get_uv_event_loop(env, &loop) != napi_ok) {
		*error = EINVAL;
		return NULL;
	}
	poller = calloc(1, sizeof(*poller));
	if (poller)
		poller->handle = calloc(1, uv_handle_size(LVSD_UV_HANDLE_TYPE_POLL));
	if (!poller || !poller->handle) {
		free(poller);
		*error = ENOMEM;
		return NULL;
	}
	*error = -uv_poll_init(loop, poller->handle, pollable->fd);
	if (*error) {
		free(poller->handle);
		free(poller);
		return NULL;
	}
	poller->env = env;
	poller->owner = pollable;
	uv_handle_set_data((uv_handle_t *)poller->handle, poller);
	if (napi_add_async_cleanup_hook(env, on_environment_end, poller, &poller->hook) != napi_ok)
		poller->hook = NULL;
	pollable->poller = poller;
	return poller;
}

napi_value pollable_watch(napi_env env, struct pollable *pollable, napi_value self, int events, napi_value callback)
{
	napi_valuetype type;
	int error = 0;
	struct poller *poller;

	if (pollable->fd < 0)
		return throw_errno(env, EBADF, "watch");
	if (napi_typeof(env, callback, &type) != napi_ok || type != napi_function)
		return throw_type(env, "callback must be a function");
	poller = pollable->poller;
	if (!poller) {
		poller = create_poller(env, pollable, &error);
		if (!poller)
			return throw_errno(env, error, "watch");
	}
	if (poller->callback) {
		napi_delete_reference(env, poller->callback);
		poller->callback = NULL;
	}
	if ((!poller->self && napi_create_reference(env, self, 1, &poller->self) != napi_ok) ||
	    napi_create_reference(env, callback, 1, &poller->callback) != napi_ok) {
		pollable_unwatch(env, pollable);
		return throw_errno(env, ENOMEM, "watch");
	}
	poller->events = events;
	error = -uv_poll_start(poller->handle, events, on_ready);
	if (error) {
		pollable_unwatch(env, pollable);
		return throw_errno(env, error, "watch");
	}
	pollable_reference(pollable, pollable->referenced);
	return NULL;
}

void pollable_init(struct pollable *pollable, int fd)
{
	pollable->fd = fd;
	pollable->referenced = true;
	pollable->poller = NULL;
}

void pollable_reference(struct pollable *pollable, bool referenced)
{
	pollable->referenced = referenced;
	if (pollable->poller && referenced)
		uv_ref((uv_handle_t *)pollable->poller->handle);
	else if (pollable->poller)
		uv_unref((uv_handle_t *)pollable->poller->handle);
}

int pollable_release(napi_env env, struct pollable *pollable)
{
	int fd = pollable->fd;

	pollable_unwatch(env, pollable);
	pollable->fd = -1;
	return fd;
}

void pollable_close(napi_env env, struct pollable *pollable)
{
	int fd = pollable_release(env, pollable);

	if (fd >= 0)
		close(fd);
}
