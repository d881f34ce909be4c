/* SPDX-License-Identifier: MIT */
/* What a run says when expectations break, in both forms. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "support/natsim.h"

#define HOMES(nat1, nat2)                                                                     \
	"networks:\n"                                                                         \
	"  internet: {type: internet}\n"                                                      \
	"  home1: {subnet: 192.168.1.0/24}\n"                                                 \
	"  home2: {subnet: 192.168.2.0/24}\n"                                                 \
	"nodes:\n"                                                                            \
	"  server: {interfaces: {internet: [9.9.9.9, 9.9.9.10]}}\n"                           \
	"  router1: {interfaces: {internet: 1.2.3.4, home1: 192.168.1.254}, nat: " nat1 "}\n" \
	"  router2: {interfaces: {internet: 5.6.7.8, home2: 192.168.2.254}, nat: " nat2 "}\n" \
	"  pc1: {interfaces: {home1: 192.168.1.1}}\n"                                         \
	"  pc2: {interfaces: {home2: 192.168.2.1}}\n"                                         \
	"steps:\n"                                                                            \
	"  - start: {node: server, agent: stun-server}\n"                                     \
	"  - start: {node: server, agent: rendezvous}\n"

#define PUNCH(expect)                                                               \
	"  - run:\n"                                                                \
	"      - {node: pc1, agent: punch, session: s, port: 7777, timeout: 0.7}\n" \
	"      - {node: pc2, agent: punch, session: s, port: 8888, timeout: 0.7}\n" \
	"    expect: {" expect "}\n"

static void expect_words(const struct natsim *natsim, const char *const words[])
{
	for (; *words; words++)
		cr_expect_not_null(strstr(natsim->out, *words), "\"%s\" is told in:\n%s", *words,
				   natsim->out);
}

Test(verdicts, a_broken_expectation_shows_expected_observed_and_evidence)
{
	static const char yaml[] = "name: broken\n" HOMES(
		"symmetric", "full-cone") "  - run: {node: pc1, agent: detect, expect: {type: "
					  "full-cone, nat: true}}\n";
	static const char *const words[] = {"broken  type is \"full-cone\"",
					    "observed: type is \"symmetric\"",
					    "held  nat is true",
					    "Evidence",
					    "\"event\":\"result\"", /* what the agent printed */
					    "192.168.1.1:",         /* a mapping */
					    "chain ",               /* the rules of router1 */
					    "broken  step 3, pc1: detect",
					    "1 held, 1 broken, 0 undecided",
					    NULL};
	struct scratch scratch = scratch_new();
	AUTO_FREE char *file = scratch_write(&scratch, "broken.yaml", yaml);
	struct natsim natsim = {0};

	natsim_run(&natsim, "run", file, NULL);
	cr_expect_eq(natsim.status, 1);
	expect_words(&natsim, words);
	natsim_clear(&natsim);
	scratch_free(&scratch);
}

Test(verdicts, a_path_hoped_for_in_vain_is_explained_by_theory_and_mappings)
{
	static const char yaml[] =
		"name: vain\n" HOMES("symmetric", "port-restricted-cone") PUNCH("path: direct");
	static const char *const words[] = {"broken  path is \"direct\"",
					    "observed: path is \"none\"",
					    "router2 admits only the port that pc2 was told",
					    "router1 maps 192.168.1.1:7777 to 1.2.3.4:",
					    " towards the rendezvous, but to 1.2.3.4:",
					    "0 held, 2 broken, 0 undecided",
					    NULL};
	struct scratch scratch = scratch_new();
	AUTO_FREE char *file = scratch_write(&scratch, "vain.yaml", yaml);
	struct natsim natsim = {0};

	natsim_run(&natsim, "run", file, NULL);
	cr_expect_eq(natsim.status, 1);
	expect_words(&natsim, words);
	natsim_clear(&natsim);
	scratch_free(&scratch);
}

Test(verdicts, no_path_is_not_believed_where_the_declarations_allow_one)
{
	/* Nobody answers as a rendezvous there. */
	static const char yaml[] = "name: doubt\n" HOMES(
		"full-cone", "full-cone") "  - run:\n"
					  "      - {node: pc1, agent: punch, session: s, timeout: "
					  "0.3, rendezvous: 3.3.3.3}\n"
					  "      - {node: pc2, agent: punch, session: s, timeout: "
					  "0.3, rendezvous: 3.3.3.3}\n"
					  "    expect: {path: none}\n";
	static const char *const words[] = {"undecided  path is \"none\"", "was never told",
					    "allows a direct path", "0 held, 0 broken, 2 undecided",
					    NULL};
	struct scratch scratch = scratch_new();
	AUTO_FREE char *file = scratch_write(&scratch, "doubt.yaml", yaml);
	struct natsim natsim = {0};

	natsim_run(&natsim, "run", file, NULL);
	cr_expect_eq(natsim.status, 1);
	expect_words(&natsim, words);
	natsim_clear(&natsim);
	scratch_free(&scratch);
}

/* The closing line of the text agrees with the sums of the document. */
static void expect_agreement(const char *file, int status)
{
	struct natsim text = {0}, document = {0};
	AUTO_FREE char *line = NULL;
	json_t *json;

	natsim_run(&text, "run", file, NULL);
	natsim_run(&document, "run", "--format", "json", file, NULL);
	cr_expect_eq(text.status, status);
	cr_expect_eq(document.status, status);
	json = natsim_json(&document);
	cr_assert_gt(asprintf(&line, "%lld held, %lld broken, %lld undecided in ",
			      json_integer_value(json_at(json, "held")),
			      json_integer_value(json_at(json, "broken")),
			      json_integer_value(json_at(json, "undecided"))),
		     0);
	cr_expect_not_null(strstr(text.out, line), "\"%s\" is told in:\n%s", line, text.out);
	cr_expect_eq(json_is_true(json_at(json, "ok")), status == 0);
	json_decref(json);
	natsim_clear(&text);
	natsim_clear(&document);
}

Test(verdicts, text_and_json_agree)
{
	static const char yaml[] = "name: mixed\n" HOMES(
		"restricted-cone", "firewall") "  - run: {node: pc1, command: 'exit 3', expect: "
					       "{exit: 3, stdout: x}}\n"
					       "  - run: {node: pc1, agent: detect, expect: {type: "
					       "restricted-cone}}\n";
	struct scratch scratch = scratch_new();
	AUTO_FREE char *file = scratch_write(&scratch, "mixed.yaml", yaml);

	expect_agreement(TEST_SOURCE_DIR "/topologies/double-nat.yaml", 0);
	expect_agreement(file, 1);
	scratch_free(&scratch);
}

Test(verdicts, the_document_names_versions_topology_proof_mappings_and_rules)
{
	static const char *const paths[] = {"versions.natsim",
					    "versions.kernel",
					    "versions.libnl",
					    "versions.libmnl",
					    "versions.libnftnl",
					    "versions.libnetfilter_conntrack",
					    "versions.libfyaml",
					    "versions.jansson",
					    "runs.0.name",
					    "runs.0.topology.nodes.1.nat.mapping",
					    "runs.0.steps.3.programs.0.verdicts.0.proof.0.text",
					    "runs.0.steps.3.programs.0.result.peer",
					    "runs.0.routers.0.mappings.0.inside",
					    "runs.0.routers.0.rules"};
	struct natsim natsim = {0};
	const char *text;
	json_t *json;
	size_t i;

	natsim_run(&natsim, "run", "--format", "json",
		   TEST_SOURCE_DIR "/topologies/double-nat.yaml", NULL);
	json = natsim_json(&natsim);
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		text = json_string_value(json_at(json, paths[i]));
		cr_expect(text && *text, "%s is a text", paths[i]);
	}
	json_decref(json);
	natsim_clear(&natsim);
}

Test(verdicts, several_files_end_with_a_table_and_the_worst_status)
{
	static const char good[] = "name: good\n" HOMES(
		"full-cone",
		"full-cone") "  - run: {node: pc1, command: [\"true\"], expect: {exit: 0}}\n";
	static const char bad[] = "name: bad\n" HOMES(
		"full-cone",
		"full-cone") "  - run: {node: pc1, command: [\"true\"], expect: fails}\n";
	static const char *const words[] = {"good.yaml", "bad.yaml", "1 of 2 ok", NULL};
	struct scratch scratch = scratch_new();
	AUTO_FREE char *good_file = scratch_write(&scratch, "good.yaml", good);
	AUTO_FREE char *bad_file = scratch_write(&scratch, "bad.yaml", bad);
	struct natsim natsim = {0};

	natsim_run(&natsim, "run", bad_file, good_file, NULL);
	cr_expect_eq(natsim.status, 1);
	expect_words(&natsim, words);
	natsim_clear(&natsim);
	scratch_free(&scratch);
}
