/* SPDX-License-Identifier: MIT */
/* A test that this machine cannot run says why; with NATSIM_MUST_RUN=1 that is a failure. */
#ifndef NATSIM_TESTS_SUPPORT_MUST_RUN_H
#define NATSIM_TESTS_SUPPORT_MUST_RUN_H

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* Criterion has two sets of assertions, and only the newer one has this word. */
#ifndef cr_fatal
#define cr_fatal(...) cr_assert_fail(__VA_ARGS__)
#endif

static inline int must_run(void)
{
	const char *value = getenv("NATSIM_MUST_RUN");

	return value && strcmp(value, "1") == 0;
}

/* Leave the test unless @condition holds, for the sentence @reason. */
#define SKIP_UNLESS(condition, reason)                                         \
	do {                                                                   \
		if (condition)                                                 \
			break;                                                 \
		if (must_run())                                                \
			cr_fatal("must run (NATSIM_MUST_RUN=1), but " reason); \
		cr_skip("skipped: " reason);                                   \
	} while (0)

#endif
