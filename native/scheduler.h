/* SPDX-License-Identifier: MIT */
#ifndef LVSD_SCHEDULER_H
#define LVSD_SCHEDULER_H

#include <node_api.h>

napi_value set_scheduler(napi_env env, napi_callback_info info);
napi_value set_resource_limit(napi_env env, napi_callback_info info);

#endif
