/* SPDX-License-Identifier: MIT */
#ifndef LVSD_EXECUTE_H
#define LVSD_EXECUTE_H

#include <node_api.h>

napi_value execute(napi_env env, napi_callback_info info);

#endif
