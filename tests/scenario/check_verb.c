/* SPDX-License-Identifier: MIT */
/* natsim check at the terminal: streams, statuses and JSON. The words are tests/bogus's. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "support/natsim.h"

#define GOOD TEST_SOURCE_DIR "/topologies/double-nat.yaml"
#define WRONG TEST_SOURCE_DIR "/tests/bogus/nat-unknown.yaml"

#define AUTO_NATSIM CLEANUP(natsim_clear)

Test(check, a_good_file_is_one_line)
{
	AUTO_NATSIM struct natsim natsim = {0};

	natsim_run(&natsim, "check", GOOD, NULL);
	cr_expect_eq(natsim.status, 0);
	cr_expect_str_eq(natsim.out, GOOD ": ok (5 nodes, 3 networks, 5 steps)\n");
	cr_expect_str_eq(natsim.err, "");
}

Test(check, a_wrong_file_does_not_keep_the_next_from_being_checked)
{
	AUTO_NATSIM struct natsim natsim = {0};

	natsim_run(&natsim, "check", WRONG, "/nonexistent.yaml", GOOD, NULL);
	cr_expect_eq(natsim.status, 2);
	cr_expect(strstr(natsim.out, "double-nat.yaml: ok"), "%s", natsim.out);
	cr_expect(
		strstr(natsim.err, "nat-unknown.yaml:7:71: error: no NAT is called \"full-con\"\n"),
		"%s", natsim.err);
	cr_expect(strstr(natsim.err, "natsim: error: cannot open /nonexistent.yaml: No such file"),
		  "%s", natsim.err);
	cr_expect_not(strchr(natsim.err, '\033'), "colour where there is no terminal");
}

Test(check, json_holds_every_file_with_its_places)
{
	AUTO_NATSIM struct natsim natsim = {0};
	json_t *json;

	natsim_run(&natsim, "check", "--format", "json", WRONG, GOOD, NULL);
	cr_expect_eq(natsim.status, 2);
	cr_expect_str_eq(natsim.err, "");
	json = natsim_json(&natsim);
	cr_expect(json_is_false(json_at(json, "0.ok")));
	cr_expect_eq(json_integer_value(json_at(json, "0.entries.0.line")), 7);
	cr_expect_eq(json_integer_value(json_at(json, "0.entries.0.column")), 71);
	cr_expect_str_eq(json_string_value(json_at(json, "0.entries.0.severity")), "error");
	cr_expect_str_eq(json_string_value(json_at(json, "0.entries.0.help")),
			 "did you mean \"full-cone\"?");
	cr_expect(json_is_true(json_at(json, "1.ok")));
	cr_expect_str_eq(json_string_value(json_at(json, "1.file")), GOOD);
	json_decref(json);
}

Test(check, wrong_usage_is_told)
{
	AUTO_NATSIM struct natsim nothing = {0}, format = {0}, help = {0};

	natsim_run(&nothing, "check", NULL);
	cr_expect_eq(nothing.status, 2);
	cr_expect(strstr(nothing.err, "check needs a file"), "%s", nothing.err);
	natsim_run(&format, "check", "--format", "xml", GOOD, NULL);
	cr_expect_eq(format.status, 2);
	cr_expect(strstr(format.err, "not \"xml\""), "%s", format.err);
	natsim_run(&help, "check", "--help", NULL);
	cr_expect_eq(help.status, 0);
	cr_expect(strstr(help.out, "usage: natsim check"), "%s", help.out);
}
