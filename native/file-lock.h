/* SPDX-License-Identifier: MIT */
#ifndef LVSD_FILE_LOCK_H
#define LVSD_FILE_LOCK_H

#include <node_api.h>

/* lockFile(fd) */
napi_value lock_file(napi_env env, napi_callback_info info);

#endif
