/* SPDX-License-Identifier: MIT */
/* Agents that do one thing and say another, in a real lab: the kernels' tables tell. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "support/natsim.h"

/* @name in @scratch, as in the build tree. */
static char *borrow(const struct scratch *scratch, const char *name)
{
	AUTO_FREE char *from = NULL;
	struct natsim copy = {.binary = "/bin/cp"};
	char *to = NULL;

	cr_assert_gt(asprintf(&from, "%s/%s", TEST_BINARY_DIR, name), 0);
	cr_assert_gt(asprintf(&to, "%s/%s", scratch->path, name), 0);
	natsim_run(&copy, from, to, NULL);
	cr_assert_eq(copy.status, 0, "%s", copy.err);
	natsim_clear(&copy);
	return to;
}

static void impersonate(const struct scratch *scratch, const char *agent, const char *script)
{
	AUTO_FREE char *path = scratch_write(scratch, agent, script);

	cr_assert_eq(chmod(path, 0755), 0);
}

/* Run a meeting of two such agents behind cones, both of which expect what they will say. */
static void run_liars(const struct scratch *scratch, const char *agent, const char *path,
		      struct natsim *natsim)
{
	AUTO_FREE char *binary = borrow(scratch, "natsim");
	AUTO_FREE char *rendezvous = borrow(scratch, "rendezvous");
	AUTO_FREE char *yaml = NULL, *file = NULL;

	cr_assert_gt(asprintf(&yaml,
			      "name: liars\n"
			      "networks:\n"
			      "  internet: {type: internet}\n"
			      "  home1: {subnet: 192.168.1.0/24}\n"
			      "  home2: {subnet: 192.168.2.0/24}\n"
			      "nodes:\n"
			      "  server: {interfaces: {internet: 9.9.9.9}}\n"
			      "  router1: {interfaces: {internet: 1.2.3.4, home1: 192.168.1.254}, "
			      "nat: port-restricted-cone}\n"
			      "  router2: {interfaces: {internet: 5.6.7.8, home2: 192.168.2.254}, "
			      "nat: port-restricted-cone}\n"
			      "  pc1: {interfaces: {home1: 192.168.1.1}}\n"
			      "  pc2: {interfaces: {home2: 192.168.2.1}}\n"
			      "steps:\n"
			      "  - start: {node: server, agent: rendezvous}\n"
			      "  - run:\n"
			      "      - {node: pc1, agent: %s, session: s, messages: 40}\n"
			      "      - {node: pc2, agent: %s, session: s, messages: 40}\n"
			      "    expect: {path: %s}\n",
			      agent, agent, path),
		     0);
	file = scratch_write(scratch, "liars.yaml", yaml);
	natsim->binary = binary;
	natsim_run(natsim, "run", file, NULL);
}

static void expect_words(const struct natsim *natsim, const char *words)
{
	cr_expect_not_null(strstr(natsim->out, words), "\"%s\" is told in:\n%s%s", words,
			   natsim->out, natsim->err);
}

Test(liars, who_punches_and_says_it_was_relayed_is_caught)
{
	struct scratch scratch = scratch_new();
	AUTO_FREE char *punch = borrow(&scratch, "punch");
	struct natsim natsim = {0};

	impersonate(&scratch, "relay",
		    "#!/bin/sh\n"
		    "\"${0%/*}\"/punch \"$@\" | sed -u 's/\"path\":\"direct\"/\"path\":\"relayed\","
		    "\"relay\":\"9.9.9.9:1024\"/; "
		    "s/\"technique\":\"[a-z]*\"/\"technique\":\"rendezvous-relay\"/'\n");
	run_liars(&scratch, "relay", "relayed", &natsim);
	cr_expect_eq(natsim.status, 1);
	expect_words(&natsim, "what the agent says is not proven");
	expect_words(&natsim, "too few for 40 and 40 messages");
	expect_words(&natsim, "back without the relay, enough for the messages");
	expect_words(&natsim, "0 held, 2 broken");
	natsim_clear(&natsim);
	scratch_free(&scratch);
}

Test(liars, who_is_relayed_and_says_it_was_direct_is_caught)
{
	struct scratch scratch = scratch_new();
	AUTO_FREE char *relay = borrow(&scratch, "relay");
	struct natsim natsim = {0};

	/* Each claims to have met the other where the rendezvous saw it. */
	impersonate(
		&scratch, "punch",
		"#!/bin/sh\n"
		"\"${0%/*}\"/relay \"$@\" | sed -u 's/\"path\":\"relayed\"/\"path\":\"direct\"/; "
		"s/\"peer_public\":\\(\"[^\"]*\"\\)/\"peer_public\":\\1,\"peer\":\\1/'\n");
	run_liars(&scratch, "punch", "direct", &natsim);
	cr_expect_eq(natsim.status, 1);
	expect_words(&natsim, "what the agent says is not proven");
	expect_words(&natsim, "tracked no packets between");
	expect_words(&natsim, "0 held, 2 broken");
	natsim_clear(&natsim);
	scratch_free(&scratch);
}
