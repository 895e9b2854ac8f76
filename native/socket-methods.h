/* SPDX-License-Identifier: MIT */
/* The methods of class Socket, each described at its definition. */
#ifndef LVSD_SOCKET_METHODS_H
#define LVSD_SOCKET_METHODS_H

#include <node_api.h>

/* socket-address.c */
napi_value socket_bind(napi_env env, napi_callback_info info);
napi_value socket_connect(napi_env env, napi_callback_info info);
napi_value socket_try_connect(napi_env env, napi_callback_info info);
napi_value socket_getsockname(napi_env env, napi_callback_info info);

/* socket-options.c */
napi_value socket_setsockopt(napi_env env, napi_callback_info info);
napi_value socket_attach_filter(napi_env env, napi_callback_info info);
napi_value socket_getsockopt(napi_env env, napi_callback_info info);

/* socket-listen.c */
napi_value socket_listen(napi_env env, napi_callback_info info);
napi_value socket_accept(napi_env env, napi_callback_info info);

/* socket-transfer.c */
napi_value socket_send(napi_env env, napi_callback_info info);
napi_value socket_send_batch(napi_env env, napi_callback_info info);
napi_value socket_receive(napi_env env, napi_callback_info info);

/* socket-watch.c */
napi_value socket_watch(napi_env env, napi_callback_info info);
napi_value socket_unwatch(napi_env env, napi_callback_info info);
napi_value socket_ref(napi_env env, napi_callback_info info);
napi_value socket_unref(napi_env env, napi_callback_info info);
napi_value socket_fd(napi_env env, napi_callback_info info);
napi_value socket_take_fd(napi_env env, napi_callback_info info);
napi_value socket_close(napi_env env, napi_callback_info info);

#endif
