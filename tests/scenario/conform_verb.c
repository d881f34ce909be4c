/* SPDX-License-Identifier: MIT */
/* natsim conform at the terminal, and the check that natsim run makes of itself. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "support/natsim.h"

#define DOUBLE_NAT TEST_SOURCE_DIR "/topologies/double-nat.yaml"
#define OPEN TEST_SOURCE_DIR "/topologies/open-internet.yaml"

#define AUTO_NATSIM CLEANUP(natsim_clear)

/* What is said about a requirement: its object, or NULL. */
static const json_t *requirement(const json_t *nat, int rfc, const char *number)
{
	const json_t *array = json_object_get(nat, "requirements"), *one;
	size_t i;

	json_array_foreach(array, i, one)
	{
		if (json_integer_value(json_object_get(one, "rfc")) == rfc &&
		    strcmp(json_string_value(json_object_get(one, "requirement")), number) == 0)
			return one;
	}
	return NULL;
}

static const char *outcome(const json_t *nat, int rfc, const char *number)
{
	const json_t *found = requirement(nat, rfc, number);

	cr_assert(found, "nothing is said about RFC %d %s", rfc, number);
	return json_string_value(json_object_get(found, "outcome"));
}

/* The "stock" column of what is known about Linux: plain masquerade behind a guard. */
Test(conform, linux_masquerade_is_what_it_declares_and_not_what_the_rfcs_ask_for, .timeout = 60)
{
	static const struct {
		int rfc;
		const char *number, *outcome;
	} known[] = {
		{4787, "REQ-1", "met"},      {4787, "REQ-2", "not applicable"},
		{4787, "REQ-3", "not met"},  {4787, "REQ-3a", "met"},
		{4787, "REQ-5", "not met"},  {4787, "REQ-6", "met"},
		{4787, "REQ-8", "not met"},  {4787, "REQ-9", "not met"},
		{4787, "REQ-11", "not met"}, {4787, "REQ-12", "met"},
		{4787, "REQ-12a", "met"},    {4787, "REQ-12b", "met"},
		{4787, "REQ-10", "met"},     {4787, "REQ-13", "met"},
		{4787, "REQ-13a", "met"},    {4787, "REQ-14", "met"},
		{5382, "REQ-6", "met"},      {5508, "REQ-3", "met"},
		{5508, "REQ-3a", "not met"}, {5508, "REQ-3b", "met"},
		{5508, "REQ-3c", "met"},     {5508, "REQ-3d", "met"},
		{5382, "REQ-1", "met"},      {5382, "REQ-2", "met"},
		{5382, "REQ-3", "not met"},  {5382, "REQ-4", "met"},
		{5382, "REQ-5", "not met"},  {5382, "REQ-7", "not met"},
		{5382, "REQ-8", "not met"},  {5382, "REQ-10", "met"},
		{5508, "REQ-1", "met"},      {5508, "REQ-2", "not met"},
	};
	AUTO_NATSIM struct natsim natsim = {0};
	const json_t *nat;
	json_t *json;
	size_t i;

	natsim_run(&natsim, "conform", "--format", "json", "linux-masquerade", NULL);
	cr_expect_eq(natsim.status, 0, "%s%s", natsim.err, natsim.out);
	json = natsim_json(&natsim);
	nat = json_at(json, "nats.0");
	cr_expect(json_is_true(json_at(json, "ok")));
	cr_expect_eq(json_integer_value(json_object_get(nat, "not_held")), 0);
	cr_expect_gt(json_integer_value(json_object_get(nat, "held")), 15);
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		cr_expect_str_eq(outcome(nat, known[i].rfc, known[i].number), known[i].outcome,
				 "RFC %d %s", known[i].rfc, known[i].number);
	json_decref(json);
}

Test(conform, a_symmetric_nat_conforms_to_its_declaration, .timeout = 60)
{
	AUTO_NATSIM struct natsim natsim = {0};

	natsim_run(&natsim, "conform", "--scale", "0", "symmetric", NULL);
	cr_expect_eq(natsim.status, 0, "%s", natsim.err);
	cr_expect(strstr(natsim.out, "not met         REQ-1    MUST    mapping does not"), "%s",
		  natsim.out);
	cr_expect(strstr(natsim.out, ", 0 not held, "), "%s", natsim.out);
	cr_expect(strstr(natsim.out, "lifetimes were not waited for"), "%s", natsim.out);
}

Test(conform, every_router_of_a_file_or_the_one_that_is_asked_for, .timeout = 60)
{
	AUTO_NATSIM struct natsim natsim = {0}, one = {0};
	json_t *json;

	natsim_run(&natsim, "conform", "--scale", "0", "--format", "json", DOUBLE_NAT, NULL);
	cr_expect_eq(natsim.status, 0, "%s", natsim.err);
	json = natsim_json(&natsim);
	cr_expect_eq(json_array_size(json_object_get(json, "nats")), 2);
	cr_expect_str_eq(json_string_value(json_at(json, "nats.0.router")), "router1");
	cr_expect_str_eq(json_string_value(json_at(json, "nats.1.router")), "router2");
	json_decref(json);

	natsim_run(&one, "conform", "--scale", "0", DOUBLE_NAT ":router2", NULL);
	cr_expect_eq(one.status, 0, "%s", one.err);
	cr_expect(strstr(one.out, DOUBLE_NAT ":router2, port-restricted-cone\n"), "%s", one.out);
	cr_expect(strstr(one.out, "is seen as 5.6.7.8:"), "its own address: %s", one.out);
	cr_expect_not(strstr(one.out, "router1"));
}

/* Nothing is declared about them, so only the RFCs are asked. */
Test(conform, own_rules_are_probed_and_held_against_the_rfcs, .timeout = 60)
{
	static const char rules[] = "table ip mine {\n"
				    "	chain out {\n"
				    "		type nat hook postrouting priority srcnat\n"
				    "		oifname \"internet\" masquerade fully-random\n"
				    "	}\n"
				    "}\n";
	static const char topology[] =
		"name: own\n"
		"networks: {internet: {type: internet}, home: {subnet: 192.168.7.0/24}}\n"
		"nodes:\n"
		"  router:\n"
		"    interfaces: {internet: 1.2.3.4, home: 192.168.7.1}\n"
		"    nat: {rules: own.nft}\n"
		"  pc: {interfaces: {home: 192.168.7.2}}\n";
	CLEANUP(scratch_free) struct scratch scratch = scratch_new();
	AUTO_FREE char *own = scratch_write(&scratch, "own.nft", rules);
	AUTO_FREE char *file = scratch_write(&scratch, "own.yaml", topology);
	AUTO_NATSIM struct natsim natsim = {0}, run = {0};
	const json_t *nat;
	json_t *json;

	natsim_run(&natsim, "conform", "--format", "json", file, NULL);
	cr_assert_eq(natsim.status, 0, "%s", natsim.err);
	json = natsim_json(&natsim);
	nat = json_at(json, "nats.0");
	cr_expect_eq(json_array_size(json_object_get(nat, "axes")), 0);
	cr_expect_str_eq(outcome(nat, 4787, "REQ-1"), "not met", "random: a port for each peer");
	cr_expect_str_eq(outcome(nat, 5382, "REQ-4"), "not met", "the stack resets a stray SYN");
	cr_expect_str_eq(outcome(nat, 5508, "REQ-1"), "met");
	json_decref(json);

	natsim_run(&run, "run", file, NULL);
	cr_expect(strstr(run.out, "self-check: none of router, which declares nothing"), "%s%s",
		  run.out, run.err);
	cr_expect_neq(own, NULL);
}

/* A stateful masquerade of one's own, said to be what the format's word is. */
static char *write_declared(const struct scratch *scratch, const char *word)
{
	static const char rules[] = "table ip mine {\n"
				    "	chain out {\n"
				    "		type nat hook postrouting priority srcnat\n"
				    "		oifname \"internet\" masquerade\n"
				    "	}\n"
				    "	chain in {\n"
				    "		type filter hook input priority filter\n"
				    "		iifname \"internet\" ct state new drop\n"
				    "	}\n"
				    "}\n";
	static const char topology[] =
		"name: declared\n"
		"networks: {internet: {type: internet}, home: {subnet: 192.168.7.0/24}}\n"
		"nodes:\n"
		"  router:\n"
		"    interfaces: {internet: 1.2.3.4, home: 192.168.7.1}\n"
		"    nat: {rules: own.nft, base: %s}\n"
		"  pc: {interfaces: {home: 192.168.7.2}}\n";
	AUTO_FREE char *own = scratch_write(scratch, "own.nft", rules);
	AUTO_FREE char *text = NULL;

	cr_assert_gt(asprintf(&text, topology, word), 0);
	cr_assert(own);
	return scratch_write(scratch, "declared.yaml", text);
}

Test(self_check, own_rules_that_are_what_they_declare_are_run, .timeout = 60)
{
	CLEANUP(scratch_free) struct scratch scratch = scratch_new();
	AUTO_FREE char *file = write_declared(&scratch, "linux-masquerade");
	AUTO_NATSIM struct natsim natsim = {0};

	natsim_run(&natsim, "run", file, NULL);
	cr_expect_eq(natsim.status, 0, "%s", natsim.err);
	cr_expect(strstr(natsim.out, "self-check: own-rules of router holds what it declares ("),
		  "%s", natsim.out);
}

/* The one way in which a lab can lie: rules that are not what somebody says they are. */
Test(self_check, a_router_that_is_not_what_it_declares_is_not_run, .timeout = 60)
{
	CLEANUP(scratch_free) struct scratch scratch = scratch_new();
	AUTO_FREE char *file = write_declared(&scratch, "full-cone");
	AUTO_NATSIM struct natsim run = {0}, unchecked = {0}, conform = {0};

	natsim_run(&run, "run", file, NULL);
	cr_expect_eq(run.status, 3, "%s", run.out);
	cr_expect(strstr(run.err, "self-check: router's NAT, own-rules, does not do what it "
				  "declares: "),
		  "%s", run.err);
	cr_expect(strstr(run.out, "not run"), "%s", run.out);

	natsim_run(&unchecked, "run", "--no-self-check", file, NULL);
	cr_expect_eq(unchecked.status, 0, "%s", unchecked.err);

	natsim_run(&conform, "conform", "--scale", "0", file, NULL);
	cr_expect_eq(conform.status, 1, "%s", conform.err);
	cr_expect(strstr(conform.out, "not held    udp   filtering "), "%s", conform.out);
}

Test(conform, wrong_usage_is_told)
{
	static const struct {
		const char *words[3], *message;
	} wrong[] = {
		{{NULL}, "which NAT?"},
		{{"full-con"}, "did you mean \"full-cone\"?"},
		{{"--scale", "0.1", "full-cone"},
		 "--scale is 0, or 0.2 to 600 seconds, not \"0.1\""},
		{{"--scale", "x", "full-cone"}, "not \"x\""},
		{{"--format", "xml", "full-cone"}, "--format is text or json, not \"xml\""},
		{{"--bad"}, "there is no option \"--bad\""},
		{{OPEN}, "has no router with a NAT"},
		{{DOUBLE_NAT ":router"}, "did you mean \"router1\"?"},
		{{"/nonexistent.yaml:router"}, "cannot open /nonexistent.yaml"},
	};
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		AUTO_NATSIM struct natsim natsim = {0};

		natsim_run(&natsim, "conform", wrong[i].words[0], wrong[i].words[1],
			   wrong[i].words[2], NULL);
		cr_expect_eq(natsim.status, 2, "%zu: %d", i, natsim.status);
		cr_expect(strstr(natsim.err, wrong[i].message), "%zu: %s", i, natsim.err);
		cr_expect_str_eq(natsim.out, "");
	}
}

Test(self_check, a_run_says_what_it_made_sure_of, .timeout = 60)
{
	AUTO_NATSIM struct natsim text = {0}, json_run = {0};
	json_t *json;

	natsim_run(&text, "run", DOUBLE_NAT, NULL);
	cr_expect_eq(text.status, 0, "%s", text.err);
	cr_expect(strstr(text.out,
			 "self-check: port-restricted-cone of router1 holds what it declares ("),
		  "%s", text.out);
	cr_expect_not(strstr(text.out, "of router2 holds"), "the same NAT is checked once");

	natsim_run(&json_run, "run", "--format", "json", DOUBLE_NAT, NULL);
	json = natsim_json(&json_run);
	cr_expect_eq(json_array_size(json_at(json, "runs.0.self_checks")), 1);
	cr_expect_gt(json_integer_value(json_at(json, "runs.0.self_checks.0.axes_held")), 10);
	json_decref(json);
}

Test(self_check, can_be_turned_off, .timeout = 60)
{
	AUTO_NATSIM struct natsim natsim = {0};

	natsim_run(&natsim, "run", "--no-self-check", DOUBLE_NAT, NULL);
	cr_expect_eq(natsim.status, 0, "%s", natsim.err);
	cr_expect(strstr(natsim.out, "self-check: turned off"), "%s", natsim.out);
}
