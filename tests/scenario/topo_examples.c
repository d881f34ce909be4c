/* SPDX-License-Identifier: MIT */
/* Every topology of the repository answers its question as it says, with and without root. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "support/must_run.h"
#include "support/natsim.h"

enum { EXAMPLES_MAX = 256, WORDS_MORE = 8, SHARES = 8 };

struct example {
	char path[256];
};

static size_t examples_find(struct example examples[EXAMPLES_MAX], const char *directory)
{
	AUTO_FREE char *pattern = NULL;
	glob_t found;
	size_t i, count = 0;

	if (asprintf(&pattern, "%s/*.yaml", directory) < 0 || glob(pattern, 0, NULL, &found) != 0)
		return 0;
	for (i = 0; i < found.gl_pathc && count < EXAMPLES_MAX; i++)
		snprintf(examples[count++].path, sizeof(examples[0].path), "%s", found.gl_pathv[i]);
	globfree(&found);
	return count;
}

ParameterizedTestParameters(topologies, each_answers_its_question)
{
	static struct example examples[EXAMPLES_MAX];
	size_t count = examples_find(examples, TEST_SOURCE_DIR "/topologies");

	return cr_make_param_array(struct example, examples, count);
}

ParameterizedTest(struct example *example, topologies, each_answers_its_question)
{
	struct natsim natsim = {0};

	natsim_run(&natsim, "run", example->path, NULL);
	cr_expect_eq(natsim.status, 0, "%s ends with %d:\n%s%s", example->path, natsim.status,
		     natsim.out, natsim.err);
	natsim_clear(&natsim);
}

/* "cmake --install" into @prefix. */
static void install(const char *prefix)
{
	struct natsim cmake = {.binary = TEST_CMAKE_COMMAND};

	natsim_run(&cmake, "--install", TEST_BINARY_DIR, "--prefix", prefix, NULL);
	cr_assert_eq(cmake.status, 0, "the installation fails:\n%s%s", cmake.out, cmake.err);
	natsim_clear(&cmake);
}

static void expect_ok(const struct natsim *natsim, size_t count)
{
	json_t *json = natsim_json(natsim), *run;
	size_t i;

	cr_expect_eq(json_array_size(json_at(json, "runs")), count);
	json_array_foreach(json_at(json, "runs"), i, run)
	{
		AUTO_FREE char *steps = json_dumps(json_object_get(run, "steps"), JSON_INDENT(1));

		cr_expect(json_is_true(json_at(run, "ok")), "%s does not hold:\n%s%s",
			  json_string_value(json_at(run, "file")), natsim->err, steps);
	}
	json_decref(json);
}

/* A process plays its files one after the other; so several play at once. */
ParameterizedTestParameters(topologies, all_hold_as_an_ordinary_user_from_an_installed_copy)
{
	static size_t shares[SHARES];
	size_t i;

	for (i = 0; i < SHARES; i++)
		shares[i] = i;
	return cr_make_param_array(size_t, shares, SHARES);
}

ParameterizedTest(size_t *share, topologies, all_hold_as_an_ordinary_user_from_an_installed_copy)
{
	static struct example examples[EXAMPLES_MAX];
	const char *words[EXAMPLES_MAX + WORDS_MORE] = {"run", "--format", "json"};
	struct scratch scratch;
	struct natsim natsim = {.uid = NATSIM_NOBODY};
	AUTO_FREE char *binary = NULL, *directory = NULL;
	size_t count, taken = 0, i;

	SKIP_UNLESS(geteuid() == 0, "only root can become an ordinary user");
	scratch = scratch_new();
	install(scratch.path);
	cr_assert_gt(asprintf(&binary, "%s/bin/natsim", scratch.path), 0);
	cr_assert_gt(asprintf(&directory, "%s/share/doc/natsim/examples", scratch.path), 0);
	count = examples_find(examples, directory);
	cr_assert_gt(count, SHARES, "the topologies are installed as examples");
	for (i = *share; i < count; i += SHARES)
		words[3 + taken++] = examples[i].path;
	natsim.binary = binary;
	natsim_start(&natsim, words);
	natsim_finish(&natsim);
	expect_ok(&natsim, taken);
	cr_expect_eq(natsim.status, 0);
	natsim_clear(&natsim);
	scratch_free(&scratch);
}
