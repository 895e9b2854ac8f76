/* SPDX-License-Identifier: MIT */
#ifndef LVSD_CONNECTOR_H
#define LVSD_CONNECTOR_H

#include <node_api.h>

/* Adds class Connector to `exports` and returns it; NULL on failure. */
napi_value define_connector(napi_env env, napi_value exports);

#endif
