/* SPDX-License-Identifier: MIT */
/*
 * The part of libuv's ABI that the addon calls. npm's node-api-headers contains
 * only Node-API, and a node binary need not come with headers; the ABI of libuv 1
 * is stable. The handle is opaque: uv_handle_size() returns its size.
 */
#ifndef LVSD_UV_ABI_H
#define LVSD_UV_ABI_H

#include <stddef.h>

typedef struct uv_poll_s uv_poll_t;
typedef struct uv_handle_s uv_handle_t;
struct uv_loop_s;

typedef void (*uv_poll_cb)(uv_poll_t *handle, int status, int events);
typedef void (*uv_close_cb)(uv_handle_t *handle);

/* The place of UV_POLL in enum uv_handle_type. */
#define LVSD_UV_HANDLE_TYPE_POLL 8
#define LVSD_UV_READABLE 1
#define LVSD_UV_WRITABLE 2

size_t uv_handle_size(int type);
int uv_poll_init(struct uv_loop_s *loop, uv_poll_t *handle, int fd);
int uv_poll_start(uv_poll_t *handle, int events, uv_poll_cb cb);
int uv_poll_stop(uv_poll_t *handle);
void uv_close(uv_handle_t *handle, uv_close_cb cb);
void uv_ref(uv_handle_t *handle);
void uv_unref(uv_handle_t *handle);
void *uv_handle_get_data(const uv_handle_t *handle);
void uv_handle_set_data(uv_handle_t *handle, void *data);
char *uv_err_name_r(int err, char *buf, size_t buflen);

#endif
