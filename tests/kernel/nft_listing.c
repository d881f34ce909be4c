/* SPDX-License-Identifier: MIT */
/*
 * nft-rules/listings/NAME.nft is what nft prints in a router that has the rules.
 * After a change: NATSIM_UPDATE_LISTINGS=1 test_kernel_nft_listing writes them anew;
 * then read the difference.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kern/batch.h"
#include "kern/link.h"
#include "kern/netns.h"
#include "nft-rules/ruleset.h"
#include "support/must_run.h"

enum { LISTING_MAX = 512 << 10 };

/* Run nft in the namespace @netns (-1: here), what it prints in @text. Returns its exit status. */
static int nft(int netns, const char *const argv[], char text[LISTING_MAX])
{
	size_t used = 0;
	int ends[2], status;
	ssize_t n;
	pid_t pid;

	cr_assert(pipe2(ends, O_CLOEXEC) == 0);
	pid = fork();
	cr_assert(pid >= 0);
	if (pid == 0) {
		if ((netns >= 0 && setns(netns, CLONE_NEWNET) < 0) ||
		    dup2(ends[1], STDOUT_FILENO) < 0)
			_exit(126);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(ends[1]);
	while ((n = read(ends[0], text + used, LISTING_MAX - 1 - used)) > 0)
		used += (size_t)n;
	close(ends[0]);
	text[used] = '\0';
	cr_assert(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Other versions of nft print some things otherwise. */
static bool have_the_nft(void)
{
	static const char *const argv[] = {"nft", "--version", NULL};
	char text[LISTING_MAX];

	return nft(-1, argv, text) == 0 && strstr(text, "v1.0.6 ");
}

static void add_interface(struct netns *netns, const char *name)
{
	CLEANUP(batch_free_cleanup) struct batch *batch = NULL;
	struct link_end bridge = {.index = LINK_FIRST_FREE};
	AUTO_DIAG struct diag d = {0};
	size_t tag;

	snprintf(bridge.name, sizeof(bridge.name), "%s", name);
	cr_assert(batch_new(&batch) == 0);
	cr_assert(link_add_bridge(batch, 0, &bridge) == 0);
	cr_assert(batch_commit(batch, netns, &tag, &d) == 0);
}

static void install(struct netns *netns, const struct nat *nat, size_t addresses)
{
	struct nat_router router = {.nat = nat, .outside = "internet", .external_count = addresses};
	struct addr externals[NAT_POOL_MAX];
	CLEANUP(ruleset_free_cleanup) struct ruleset *ruleset = NULL;
	AUTO_DIAG struct diag d = {0};
	struct mnl_socket *socket;
	size_t i;

	for (i = 0; i < addresses; i++)
		externals[i] = addr_from_ipv4(htonl((uint32_t)(0x01020304U + i)));
	router.externals = externals;
	cr_assert(ruleset_build(&router, &ruleset, &d) == 0);
	cr_assert(netns_netfilter(netns, &socket, &d) == 0);
	if (ruleset_apply(ruleset, socket, &d) < 0) {
		diag_print(&d, stderr, false);
		cr_assert_fail("the rules of %s cannot be installed", nat->name);
	}
}

static void pool_listing_of(const struct nat *nat, size_t addresses, char text[LISTING_MAX])
{
	static const char *const argv[] = {"nft", "list", "ruleset", NULL};
	CLEANUP(netns_free_cleanup) struct netns *netns = NULL;
	AUTO_DIAG struct diag d = {0};

	cr_assert(netns_new(&netns, &d) == 0);
	install(netns, nat, addresses);
	cr_assert(nft(netns->fd, argv, text) == 0,
		  "nft cannot list the rules of %s, step %d, block %u, %zu addresses", nat->name,
		  nat->ports.step, nat->ports.block, addresses);
}

static void listing_of(const struct nat *nat, char text[LISTING_MAX])
{
	pool_listing_of(nat, 1, text);
}

static void update(const char *path, const char *text)
{
	AUTO_FCLOSE FILE *file = fopen(path, "we");

	cr_assert(file, "cannot write %s: %s", path, strerror(errno));
	cr_assert(fputs(text, file) >= 0);
}

static void read_whole(const char *path, char text[LISTING_MAX])
{
	AUTO_FCLOSE FILE *file = fopen(path, "re");
	size_t used;

	cr_assert(file, "cannot read %s: %s", path, strerror(errno));
	used = fread(text, 1, LISTING_MAX - 1, file);
	text[used] = '\0';
}

Test(listing, of_each_named_nat_is_what_the_kernel_has)
{
	static char kept[LISTING_MAX], now[LISTING_MAX];
	bool updating = getenv("NATSIM_UPDATE_LISTINGS") != NULL;
	char path[512];
	size_t i;

	SKIP_UNLESS(geteuid() == 0, "needs root, or: unshare -Urn THIS_TEST");
	SKIP_UNLESS(have_the_nft(), "the listings are nft 1.0.6's, and this nft is another");
	for (i = 0; i < nat_names_count; i++) {
		snprintf(path, sizeof(path), TEST_SOURCE_DIR "/nft-rules/listings/%s.nft",
			 nat_names[i].nat.name);
		listing_of(&nat_names[i].nat, now);
		if (updating)
			update(path, now);
		read_whole(path, kept);
		cr_assert_str_eq(now, kept, "%s is not what the kernel has", path);
	}
}

/* nft says iif for an index and iifname for a name. */
Test(listing, has_an_interface_by_its_index_if_it_is_there_and_else_by_its_name)
{
	static const char *const argv[] = {"nft", "list", "ruleset", NULL};
	const char *const names[] = {"internet", "other"};
	char text[LISTING_MAX];
	size_t i;

	SKIP_UNLESS(geteuid() == 0, "needs root, or: unshare -Urn THIS_TEST");
	for (i = 0; i < 2; i++) {
		CLEANUP(netns_free_cleanup) struct netns *netns = NULL;
		AUTO_DIAG struct diag d = {0};
		bool there = i == 0;

		cr_assert(netns_new(&netns, &d) == 0);
		add_interface(netns, names[i]);
		install(netns, &nat_find("port-restricted-cone")->nat, 1);
		cr_assert(nft(netns->fd, argv, text) == 0);
		cr_assert(!strstr(text, "iifname \"internet\"") == there &&
				  !strstr(text, "oifname \"internet\"") == there,
			  "%s: %s", names[i], text);
		cr_assert(!strstr(text, "iif \"internet\" goto from_outside") != there &&
				  !strstr(text, "oif \"internet\" goto to_outside") != there,
			  "%s: %s", names[i], text);
	}
}

Test(listing, of_every_pair_is_possible)
{
	struct nat nat = nat_default();
	char text[LISTING_MAX];
	int i;

	SKIP_UNLESS(geteuid() == 0, "needs root, or: unshare -Urn THIS_TEST");
	SKIP_UNLESS(have_the_nft(), "other versions of nft may list, or abort, otherwise");
	for (i = 0; i < 27; i++) {
		nat.mapping = (enum nat_dependence)(i / 9);
		nat.filtering = (enum nat_dependence)(i / 3 % 3);
		nat.ports.allocation = (enum nat_allocation)(i % 3);
		listing_of(&nat, text);
		cr_assert(strstr(text, "chain udp_keep"), "a chain is missing");
	}
}

/* nft aborts on some rules it cannot put into words; none of ours may be one. */
Test(listing, of_every_way_to_choose_a_port_is_possible)
{
	const struct nat_ports ways[] = {
		{.first = 40000, .last = 40099},
		{.allocation = PORTS_RANDOM, .parity = true},
		{.allocation = PORTS_SEQUENTIAL, .step = -3, .parity = true},
		{.allocation = PORTS_SEQUENTIAL, .step = 64, .first = 40000, .last = 40999},
		{.allocation = PORTS_RANDOM, .block = 512},
		{.allocation = PORTS_SEQUENTIAL, .block = 1, .parity = false},
		{.contiguous = true},
		{.overloading = true},
		{.exhaustion = EXHAUSTION_ICMP},
	};
	struct nat nat = nat_default();
	char text[LISTING_MAX];
	size_t i, addresses, hairpinning;

	SKIP_UNLESS(geteuid() == 0, "needs root, or: unshare -Urn THIS_TEST");
	SKIP_UNLESS(have_the_nft(), "other versions of nft may list, or abort, otherwise");
	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		nat.ports = ways[i];
		/* Blocks and neighbours have one address, so theirs are paired. */
		nat.pooling =
			ways[i].block || ways[i].contiguous ? POOLING_PAIRED : POOLING_ARBITRARY;
		nat.mapping = nat.filtering =
			ways[i].overloading ? ADDRESS_AND_PORT_DEPENDENT : ADDRESS_DEPENDENT;
		for (hairpinning = 0; hairpinning < 3; hairpinning++) {
			nat.hairpinning = (enum nat_hairpinning)hairpinning;
			for (addresses = 1; addresses <= NAT_POOL_MAX; addresses += 15) {
				pool_listing_of(&nat, addresses, text);
				cr_assert(strstr(text, "chain udp_keep"), "a chain is missing");
			}
		}
	}
}
