// SPDX-License-Identifier: MIT
/*
 * Readiness. The libuv handle has a life of its own (libuv frees nothing before its close callback
 * ran), so it is an allocation apart from the socket; the two know of each other only while both live.
 */
#include "lvsd.h"
#include "uv-abi.h"

#include <errno.h>
#include <stdlib.h>

struct poller {
	napi_env env;
	struct lvsd_socket *owner;	/* NULL once the socket has let go */
	uv_poll_t *handle;
	int events;
	bool closing;
	napi_ref self;			/* keeps the JavaScript object while it is watched */
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

/* The environment ends (process exit, worker.terminate()): its references go with it, the handle must be closed. */
static void on_environment_end(napi_async_cleanup_hook_handle hook, void *data)
{
	(void)hook;
	close_handle(data);
}

void drop_poller(napi_env env, struct lvsd_socket *socket)
{
	struct poller *poller = socket->poller;

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

	/* An exception in a listener is the program's uncaught exception, as from any other event. */
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
	 * watching. The error proper is still in the socket: whoever receives gets it.
	 */
	if (status < 0)
		events = poller->events;
	if (napi_get_reference_value(env, poller->self, &self) == napi_ok && self &&
	    napi_get_reference_value(env, poller->callback, &callback) == napi_ok && callback &&
	    napi_create_int32(env, events, &argument) == napi_ok) {
		/* Hold on to the poller: the callback may close the socket, and the handle outlives this call only. */
		if (napi_make_callback(env, NULL, self, callback, 1, &argument, NULL) != napi_ok)
			report(env);
		if (status < 0 && !poller->closing)
			uv_poll_start(handle, poller->events, on_ready);
	}
	napi_close_handle_scope(env, scope);
}

static struct poller *create_poller(napi_env env, struct lvsd_socket *socket, int *error)
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
	*error = -uv_poll_init(loop, poller->handle, socket->fd);
	if (*error) {
		free(poller->handle);
		free(poller);
		return NULL;
	}
	poller->env = env;
	poller->owner = socket;
	uv_handle_set_data((uv_handle_t *)poller->handle, poller);
	if (napi_add_async_cleanup_hook(env, on_environment_end, poller, &poller->hook) != napi_ok)
		poller->hook = NULL;
	socket->poller = poller;
	return poller;
}

static napi_value watch(napi_env env, struct lvsd_socket *socket, napi_value self, int events, napi_value callback)
{
	napi_valuetype type;
	int error = 0;
	struct poller *poller;

	if (socket->fd < 0)
		return throw_errno(env, EBADF, "watch");
	if (napi_typeof(env, callback, &type) != napi_ok || type != napi_function)
		return throw_type(env, "callback must be a function");
	poller = socket->poller;
	if (!poller) {
		poller = create_poller(env, socket, &error);
		if (!poller)
			return throw_errno(env, error, "watch");
	}
	if (poller->callback) {
		napi_delete_reference(env, poller->callback);
		poller->callback = NULL;
	}
	if ((!poller->self && napi_create_reference(env, self, 1, &poller->self) != napi_ok) ||
	    napi_create_reference(env, callback, 1, &poller->callback) != napi_ok) {
		drop_poller(env, socket);
		return throw_errno(env, ENOMEM, "watch");
	}
	poller->events = events;
	error = -uv_poll_start(poller->handle, events, on_ready);
	if (error) {
		drop_poller(env, socket);
		return throw_errno(env, error, "watch");
	}
	if (socket->referenced)
		uv_ref((uv_handle_t *)poller->handle);
	else
		uv_unref((uv_handle_t *)poller->handle);
	return NULL;
}

/* watch(events, callback): calls back with 1 (readable), 2 (writable) or 3 until unwatch() or close(). */
napi_value socket_watch(napi_env env, napi_callback_info info)
{
	size_t argc = 2;
	napi_value argv[2], self;
	int events;
	struct lvsd_socket *socket = this_socket(env, info, &argc, argv, &self);

	if (!socket)
		return NULL;
	if (socket->fd < 0)
		return throw_errno(env, EBADF, "watch");
	if (!arg_int(env, argv[0], "events", &events))
		return NULL;
	if (events < 1 || events > (LVSD_UV_READABLE | LVSD_UV_WRITABLE))
		return throw_type(env, "events must be 1 (readable), 2 (writable) or 3");
	return watch(env, socket, self, events, argv[1]);
}

napi_value watch_readable(napi_env env, struct lvsd_socket *socket, napi_value self, napi_value callback)
{
	return watch(env, socket, self, LVSD_UV_READABLE, callback);
}

napi_value socket_unwatch(napi_env env, napi_callback_info info)
{
	size_t argc = 0;
	struct lvsd_socket *socket = this_socket(env, info, &argc, NULL, NULL);

	if (socket)
		drop_poller(env, socket);
	return NULL;
}

void reference(struct lvsd_socket *socket, bool referenced)
{
	socket->referenced = referenced;
	if (socket->poller && referenced)
		uv_ref((uv_handle_t *)socket->poller->handle);
	else if (socket->poller)
		uv_unref((uv_handle_t *)socket->poller->handle);
}

static napi_value set_referenced(napi_env env, napi_callback_info info, bool referenced)
{
	size_t argc = 0;
	struct lvsd_socket *socket = this_socket(env, info, &argc, NULL, NULL);

	if (socket)
		reference(socket, referenced);
	return NULL;
}

/* ref(), unref(): whether a watched socket keeps the process alive; it does at first. */
napi_value socket_ref(napi_env env, napi_callback_info info)
{
	return set_referenced(env, info, true);
}

napi_value socket_unref(napi_env env, napi_callback_info info)
{
	return set_referenced(env, info, false);
}
