/* SPDX-License-Identifier: MIT */
#ifndef LVSD_FILE_H
#define LVSD_FILE_H

#include <node_api.h>

napi_value map_file(napi_env env, napi_callback_info info);

#endif
