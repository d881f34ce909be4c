/* SPDX-License-Identifier: MIT */
/*
 * Whole plans, line by line. NATSIM_GOLDEN=write rewrites them; look at the
 * difference before committing it.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/plan.h"
#include "topo/topo.h"

struct golden {
	char topology[64];
	char plan[64];
};

static char *slurp(const char *path)
{
	AUTO_FCLOSE FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;

	if (file && getdelim(&text, &size, '\0', file) >= 0)
		return text;
	free(text);
	return NULL;
}

static char *plan_text(const char *path)
{
	CLEANUP(topo_free_cleanup) struct topo *topo = NULL;
	CLEANUP(plan_free_cleanup) struct plan *plan = NULL;
	AUTO_DIAG struct diag d = {0};
	char *text = NULL;
	size_t size;
	FILE *out;

	if (topo_load(path, &topo, &d) < 0)
		diag_print(&d, stderr, false);
	cr_assert(topo, "%s does not load", path);
	cr_assert_eq(plan_make(topo, &plan), 0);
	out = open_memstream(&text, &size);
	cr_assert(out);
	cr_assert_eq(plan_print(plan, out), 0);
	fclose(out);
	return text;
}

static void write_golden(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	cr_assert(file, "cannot write %s", path);
	fputs(text, file);
	cr_assert_eq(fclose(file), 0, "cannot write %s", path);
}

ParameterizedTestParameters(golden, the_plan_of_a_topology_is_the_one_on_file)
{
	static struct golden cases[] = {
		{"topologies/double-nat.yaml", "plan-double-nat.txt"},
		{"topologies/open-internet.yaml", "plan-open-internet.txt"},
		{"topologies/same-port-cone.yaml", "plan-same-port-cone.txt"},
		{"tests/golden/plan-office.yaml", "plan-office.txt"},
		{"tests/golden/plan-pool.yaml", "plan-pool.txt"},
		{"tests/golden/plan-island.yaml", "plan-island.txt"},
		{"tests/golden/plan-guests.yaml", "plan-guests.txt"},
	};

	return cr_make_param_array(struct golden, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(const struct golden *golden, golden, the_plan_of_a_topology_is_the_one_on_file)
{
	AUTO_FREE char *actual = NULL, *expected = NULL;
	const char *mode = getenv("NATSIM_GOLDEN");
	char path[512];

	snprintf(path, sizeof(path), TEST_SOURCE_DIR "/%s", golden->topology);
	actual = plan_text(path);
	snprintf(path, sizeof(path), TEST_SOURCE_DIR "/tests/golden/%s", golden->plan);
	if (mode && strcmp(mode, "write") == 0)
		write_golden(path, actual);
	expected = slurp(path);
	cr_assert(expected, "there is no %s; NATSIM_GOLDEN=write makes it", path);
	cr_assert_str_eq(actual, expected, "the plan of %s is not %s any more", golden->topology,
			 golden->plan);
}
