// SPDX-License-Identifier: MIT
/* Scheduling of single threads, and limits of the process. */
#define _GNU_SOURCE
#include "scheduler.h"
#include "args.h"
#include "error.h"

#include <errno.h>
#include <sched.h>
#include <sys/resource.h>

/*
 * setScheduler(tid, policy, priority): sched_setscheduler(2) for one thread; tid 0 is the caller's. Threads that it
 * creates later begin with the normal policy.
 */
napi_value set_scheduler(napi_env env, napi_callback_info info)
{
	size_t argc = 3;
	napi_value argv[3] = { NULL };
	struct sched_param parameters = { 0 };
	int thread, policy;

	if (napi_get_cb_info(env, info, &argc, argv, NULL, NULL) != napi_ok ||
	    !arg_int(env, argc > 0 ? argv[0] : NULL, "tid", &thread) ||
	    !arg_int(env, argc > 1 ? argv[1] : NULL, "policy", &policy) ||
	    !arg_int(env, argc > 2 ? argv[2] : NULL, "priority", &parameters.sched_priority))
		return NULL;
	if (sched_setscheduler(thread, policy | SCHED_RESET_ON_FORK, &parameters))
		return throw_errno(env, errno, "sched_setscheduler");
	return NULL;
}

/* setResourceLimit(resource, soft, hard): setrlimit(2) for this process; numbers of sys/resource.h. */
napi_value set_resource_limit(napi_env env, napi_callback_info info)
{
	size_t argc = 3;
	napi_value argv[3] = { NULL };
	struct rlimit limit;
	int resource, soft, hard;

	if (napi_get_cb_info(env, info, &argc, argv, NULL, NULL) != napi_ok ||
	    !arg_int(env, argc > 0 ? argv[0] : NULL, "resource", &resource) ||
	    !arg_int(env, argc > 1 ? argv[1] : NULL, "soft", &soft) ||
	    !arg_int(env, argc > 2 ? argv[2] : NULL, "hard", &hard))
		return NULL;
	limit.rlim_cur = (unsigned int)soft;
	limit.rlim_max = (unsigned int)hard;
	if (setrlimit(resource, &limit))
		return throw_errno(env, errno, "setrlimit");
	return NULL;
}
