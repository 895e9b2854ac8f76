/* SPDX-License-Identifier: MIT */
#ifndef LVSD_DESCRIPTORS_H
#define LVSD_DESCRIPTORS_H

#include <node_api.h>

napi_value close_on_exec(napi_env env, napi_callback_info info);

#endif
