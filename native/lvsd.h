/* SPDX-License-Identifier: MIT */
/* What the files of the addon share. */
#ifndef LVSD_H
#define LVSD_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct poller;

struct lvsd_socket {
	int fd;			/* -1 once closed or taken */
	bool referenced;	/* does a watch keep the event loop alive? */
	struct poller *poller;	/* NULL while nothing watches */
};

/* error.c: both leave an exception pending and return NULL, for `return throw_...`. */
napi_value throw_errno(napi_env env, int number, const char *syscall);
napi_value throw_type(napi_env env, const char *message);

/* args.c: false means that a TypeError is pending. */
struct bytes {
	uint8_t *data;
	size_t length;
};
bool arg_int(napi_env env, napi_value value, const char *name, int *out);
bool arg_bytes(napi_env env, napi_value value, const char *name, struct bytes *out);
bool arg_bytes_or_nothing(napi_env env, napi_value value, const char *name, struct bytes *out);
bool arg_words(napi_env env, napi_value value, const char *name, int32_t **out, size_t *length);
bool arg_path(napi_env env, napi_value value, const char *name, char *out, size_t size);
bool arg_missing(napi_env env, napi_value value);
napi_value make_int(napi_env env, int64_t value);

/* netns.c */
int socket_in_netns(const char *path, int domain, int type, int protocol);
napi_value enter_netns(napi_env env, napi_callback_info info);

/* lock.c */
napi_value lock_file(napi_env env, napi_callback_info info);

/* file.c */
napi_value map_file(napi_env env, napi_callback_info info);

/* listen.c */
napi_value socket_listen(napi_env env, napi_callback_info info);
napi_value socket_accept(napi_env env, napi_callback_info info);
napi_value peer_credentials(napi_env env, napi_callback_info info);

/* socket.c: the object behind `this`, open unless told otherwise; NULL with an exception pending. */
struct lvsd_socket *this_socket(napi_env env, napi_callback_info info, size_t *argc, napi_value *argv,
				napi_value *self);
struct lvsd_socket *this_open_socket(napi_env env, napi_callback_info info, size_t *argc, napi_value *argv,
				     const char *syscall);
napi_value define_socket(napi_env env, napi_value exports);

/* transfer.c */
napi_value socket_send(napi_env env, napi_callback_info info);
napi_value socket_send_batch(napi_env env, napi_callback_info info);
napi_value socket_receive(napi_env env, napi_callback_info info);

/* poll.c */
napi_value socket_watch(napi_env env, napi_callback_info info);
napi_value socket_unwatch(napi_env env, napi_callback_info info);
napi_value socket_ref(napi_env env, napi_callback_info info);
napi_value socket_unref(napi_env env, napi_callback_info info);
void drop_poller(napi_env env, struct lvsd_socket *socket);
/* The same for whatever has a descriptor; `self` is the object that stays alive while it is watched. */
napi_value watch_readable(napi_env env, struct lvsd_socket *socket, napi_value self, napi_value callback);
void reference(struct lvsd_socket *socket, bool referenced);

/* connector.c */
napi_value define_connector(napi_env env, napi_value exports);

#endif
