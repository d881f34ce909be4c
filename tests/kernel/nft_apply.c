/* SPDX-License-Identifier: MIT */
/* Installing is all or nothing, quick, and a refusal names what was refused. */
#include <criterion/criterion.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/expr.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kern/netns.h"
#include "nft-rules/expr.h"
#include "nft-rules/hooks.h"
#include "nft-rules/ir.h"
#include "nft-rules/ruleset.h"
#include "support/must_run.h"

static struct ruleset *build(const char *name)
{
	struct nat_router router = {
		.nat = &nat_find(name)->nat, .outside = "internet", .external_count = 1};
	struct addr external;
	AUTO_DIAG struct diag d = {0};
	struct ruleset *ruleset = NULL;

	addr_parse("1.2.3.4", &external);
	router.externals = &external;
	cr_assert(ruleset_build(&router, &ruleset, &d) == 0);
	return ruleset;
}

static struct mnl_socket *open_netns(struct netns **ret)
{
	struct mnl_socket *socket = NULL;
	AUTO_DIAG struct diag d = {0};

	SKIP_UNLESS(geteuid() == 0, "needs root, or: unshare -Urn THIS_TEST");
	cr_assert(netns_new(ret, &d) == 0);
	cr_assert(netns_netfilter(*ret, &socket, &d) == 0);
	return socket;
}

static bool tells(const struct diag *d, const char *words)
{
	return d->count == 1 && strstr(d->entries[0].message, words);
}

Test(apply, twice_is_refused_by_name_and_changes_nothing)
{
	CLEANUP(ruleset_free_cleanup) struct ruleset *ruleset = build("full-cone");
	AUTO_DIAG struct diag d = {0};
	CLEANUP(netns_free_cleanup) struct netns *netns = NULL;
	struct mnl_socket *socket = open_netns(&netns);

	cr_assert(ruleset_apply(ruleset, socket, &d) == 0);
	cr_assert(ruleset_apply(ruleset, socket, &d) == -EEXIST);
	cr_assert(tells(&d, "while adding the nftables table natsim"), "it says: %s",
		  d.entries[0].message);
}

/* A rule that the kernel must refuse: snat outside of a nat chain. */
Test(apply, a_refused_rule_is_named_and_nothing_of_the_rest_is_installed)
{
	CLEANUP(ruleset_free_cleanup) struct ruleset *bad = build("full-cone");
	CLEANUP(ruleset_free_cleanup) struct ruleset *good = build("full-cone");
	struct chain *input = &bad->chains[bad->chain_count - 1];
	struct builder b = expr_rule(bad, input, "an impossible one");
	AUTO_DIAG struct diag d = {0};
	CLEANUP(netns_free_cleanup) struct netns *netns = NULL;
	struct mnl_socket *socket = open_netns(&netns);

	expr_masquerade(&b);
	cr_assert(bad->error == 0);
	cr_assert(ruleset_apply(bad, socket, &d) == -EOPNOTSUPP, "it was not refused");
	cr_assert(tells(&d, "while adding rule 4 of chain input (an impossible one)"),
		  "it says: %s", d.entries[0].message);
	diag_clear(&d);
	cr_assert(ruleset_apply(good, socket, &d) == 0, "something of the refused rules is left");
}

Test(apply, a_refused_chain_and_a_refused_set_are_named)
{
	static const struct hook nowhere = {"filter", "nowhere", 77, 0, "0"};
	CLEANUP(ruleset_free_cleanup) struct ruleset *chain = build("firewall");
	CLEANUP(ruleset_free_cleanup) struct ruleset *set = build("full-cone");
	AUTO_DIAG struct diag d = {0};
	CLEANUP(netns_free_cleanup) struct netns *netns = NULL;
	struct mnl_socket *socket = open_netns(&netns);

	cr_assert(ir_add_chain(chain, &nowhere, "", "nowhere"));
	cr_assert(ruleset_apply(chain, socket, &d) < 0);
	cr_assert(tells(&d, "while adding the nftables chain nowhere"), "it says: %s",
		  d.entries[0].message);
	diag_clear(&d);
	snprintf(set->sets[1].name, IR_NAME_MAX, "%s", set->sets[0].name);
	cr_assert(ruleset_apply(set, socket, &d) < 0);
	cr_assert(tells(&d, "while adding the nftables set same"), "it says: %s",
		  d.entries[0].message);
}

/* The socket keeps its namespace, but who sends may no longer be its master. */
Test(apply, without_privilege_is_refused_with_a_remedy)
{
	CLEANUP(ruleset_free_cleanup) struct ruleset *ruleset = build("full-cone");
	AUTO_DIAG struct diag d = {0};
	struct mnl_socket *socket;
	int status;
	pid_t pid;

	SKIP_UNLESS(geteuid() == 0, "needs root, or: unshare -Urn THIS_TEST");
	pid = fork();
	cr_assert(pid >= 0);
	if (pid == 0) {
		socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
		if (unshare(CLONE_NEWUSER) < 0 || !socket || mnl_socket_bind(socket, 0, 0) < 0)
			_exit(2);
		_exit(ruleset_apply(ruleset, socket, &d) == -EPERM && d.count == 1 &&
				      d.entries[0].help
			      ? 0
			      : 1);
	}
	cr_assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	cr_assert(WEXITSTATUS(status) != 1, "it was not refused as it should be");
	SKIP_UNLESS(WEXITSTATUS(status) == 0, "this machine has no user namespaces");
}

Test(apply, a_dead_socket_is_an_error)
{
	CLEANUP(ruleset_free_cleanup) struct ruleset *ruleset = build("full-cone");
	AUTO_DIAG struct diag d = {0};
	CLEANUP(netns_free_cleanup) struct netns *netns = NULL;
	struct mnl_socket *socket = open_netns(&netns);
	int nothing[2];

	cr_assert(pipe(nothing) == 0);
	cr_assert(dup2(nothing[0], mnl_socket_get_fd(socket)) >= 0);
	cr_assert(ruleset_apply(ruleset, socket, &d) == -ENOTSOCK);
	cr_assert(tells(&d, "cannot send the nftables batch"));
}
