/* SPDX-License-Identifier: MIT */
/*
 * tests/bogus: every NAME.yaml is wrong in a way of its own, and NAME.expected is
 * the complete output it deserves. After a deliberate change of words, see what
 * the change does with `cd tests/bogus; natsim check NAME.yaml 2>NAME.expected; git diff`.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topo/topo.h"

#define FOLDER TEST_SOURCE_DIR "/tests/bogus"

static char *read_file(const char *folder, const char *name, size_t *length)
{
	AUTO_FREE char *path = NULL;
	AUTO_FCLOSE FILE *file = NULL;
	char *text = calloc(1, 1 << 16);

	cr_assert(asprintf(&path, "%s/%s", folder, name) > 0);
	file = fopen(path, "re");
	cr_assert_not_null(file, "%s is missing", path);
	*length = fread(text, 1, (1 << 16) - 1, file);
	return text;
}

/* What is printed about @text when it comes from a file called @name. */
static char *printed(const char *name, const char *text, size_t length)
{
	AUTO_DIAG struct diag d = {0};
	struct topo *topo = NULL;
	char *output = NULL;
	size_t size;
	FILE *out;
	int r = topo_load_text(name, text, length, &topo, &d);

	cr_expect_eq(r, -EINVAL, "%s is good", name);
	cr_expect_null(topo, "%s gave a model", name);
	cr_expect_gt(d.errors, 0, "%s has no mistake", name);
	topo_free(topo);
	out = open_memstream(&output, &size);
	cr_assert_not_null(out);
	diag_print(&d, out, false);
	fclose(out);
	return output;
}

static int is_topology(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && strcmp(dot, ".yaml") == 0;
}

Test(bogus, every_wrong_file_gets_exactly_the_words_it_deserves)
{
	struct dirent **entries;
	int count = scandir(FOLDER, &entries, is_topology, alphasort), i;
	size_t length;

	cr_assert_geq(count, 45, "only %d files in " FOLDER, count);
	for (i = 0; i < count; i++) {
		AUTO_FREE char *name = strdup(entries[i]->d_name);
		AUTO_FREE char *text = read_file(FOLDER, name, &length);
		AUTO_FREE char *output = printed(name, text, length);
		AUTO_FREE char *expected = NULL;
		AUTO_FREE char *beside = NULL;

		cr_assert(asprintf(&beside, "%.*s.expected", (int)strlen(name) - 5, name) > 0);
		expected = read_file(FOLDER, beside, &length);
		cr_expect_str_eq(output, expected, "%s\n--- expected\n%s--- printed\n%s", name,
				 expected, output);
		free(entries[i]);
	}
	free(entries);
}

static int is_expectation(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && strcmp(dot, ".expected") == 0;
}

Test(bogus, no_expectation_is_left_without_its_file)
{
	struct dirent **entries;
	int count = scandir(FOLDER, &entries, is_expectation, alphasort), i;
	size_t length;

	cr_assert_gt(count, 0);
	for (i = 0; i < count; i++) {
		AUTO_FREE char *beside = NULL;
		AUTO_FREE char *text = NULL;

		cr_assert(asprintf(&beside, "%.*s.yaml", (int)strlen(entries[i]->d_name) - 9,
				   entries[i]->d_name) > 0);
		text = read_file(FOLDER, beside, &length);
		free(entries[i]);
	}
	free(entries);
}
