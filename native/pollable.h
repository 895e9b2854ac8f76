/* SPDX-License-Identifier: MIT */
/* A file descriptor that the event loop can watch. Embedded in the native state of every class of the addon. */
#ifndef LVSD_POLLABLE_H
#define LVSD_POLLABLE_H

#include <node_api.h>
#include <stdbool.h>

/* Readiness, with libuv's own values. */
#define POLLABLE_READABLE 1
#define POLLABLE_WRITABLE 2

struct poller;

struct pollable {
	int fd;			/* -1 once closed or released */
	bool referenced;	/* whether a watch keeps the event loop alive */
	struct poller *poller;	/* NULL while unwatched */
};

/* Takes ownership of `fd`. Referenced at first. */
void pollable_init(struct pollable *pollable, int fd);

/*
 * Calls back with the ready events until pollable_unwatch(). `self`, the JavaScript object that embeds the pollable,
 * is kept alive while it is watched. A second call replaces events and callback. Returns NULL, with an exception
 * pending on failure.
 */
napi_value pollable_watch(napi_env env, struct pollable *pollable, napi_value self, int events, napi_value callback);
void pollable_unwatch(napi_env env, struct pollable *pollable);
void pollable_reference(struct pollable *pollable, bool referenced);

/* Stops watching and closes the descriptor; may be called again. */
void pollable_close(napi_env env, struct pollable *pollable);
/* Stops watching and returns the descriptor, which the caller must close. */
int pollable_release(napi_env env, struct pollable *pollable);

#endif
