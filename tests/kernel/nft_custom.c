/* SPDX-License-Identifier: MIT */
/* A router with the user's own rules. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "nft-rules/ruleset.h"
#include "support/must_run.h"
#include "support/natbed.h"

#define OWN_RULES                                                       \
	"# my own\n"                                                    \
	"include \"names.nft\"\n"                                       \
	"table ip mine {\n"                                             \
	"\tchain source {\n"                                            \
	"\t\ttype nat hook postrouting priority srcnat\n"               \
	"\t\toifname $wan meta l4proto udp snat to 1.2.3.4:7000-7009\n" \
	"\t}\n"                                                         \
	"}\n"

static void write_file(const char *folder, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	AUTO_FCLOSE FILE *file = fopen(path, "we");

	cr_assert(file && fputs(text, file) >= 0, "cannot write %s", path);
}

struct folder {
	char path[64], rules[96];
};

static struct folder folder_with(const char *rules)
{
	struct folder folder = {.path = "/tmp/natsim-custom-XXXXXX"};

	cr_assert(mkdtemp(folder.path));
	write_file(folder.path, "names.nft", "define wan = \"internet\"\n");
	write_file(folder.path, "own.nft", rules);
	snprintf(folder.rules, sizeof(folder.rules), "%s/own.nft", folder.path);
	return folder;
}

static void folder_remove(struct folder *folder)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/names.nft", folder->path);
	unlink(path);
	unlink(folder->rules);
	rmdir(folder->path);
}

static struct nat own(const struct folder *folder)
{
	return (struct nat){.name = "custom", .kind = NAT_CUSTOM, .rules = folder->rules};
}

Test(custom, rules_do_what_they_say)
{
	__attribute__((cleanup(folder_remove))) struct folder folder = folder_with(OWN_RULES);
	const struct nat nat = own(&folder);
	struct nat_sysctl sysctls[NAT_SYSCTLS_MAX];
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	struct endpoint server = bed_endpoint("9.9.9.9:1000"), external;
	int host = bed_udp(&bed, BED_INSIDE, "192.168.1.1:5000");
	int peer = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");

	external = bed_pass(host, &server, peer);
	cr_assert(external.port >= 7000 && external.port <= 7009, "it left by %s",
		  BED_TEXT(&external));
	bed_pass(peer, &external, host);
	cr_assert(nat_sysctls(&nat, sysctls) == 0, "timers were set that nobody declared");
	close(host);
	close(peer);
}

Test(custom, rules_are_printed_as_they_are)
{
	__attribute__((cleanup(folder_remove))) struct folder folder = folder_with(OWN_RULES);
	const struct nat nat = own(&folder);
	const struct nat_router router = {.nat = &nat, .outside = "internet"};
	CLEANUP(ruleset_free_cleanup) struct ruleset *ruleset = NULL;
	AUTO_DIAG struct diag d = {0};
	AUTO_FREE char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_assert(out && ruleset_build(&router, &ruleset, &d) == 0);
	cr_assert(ruleset_print(ruleset, out) == 0);
	fclose(out);
	cr_assert_str_eq(text, OWN_RULES);
}

/* Install @rules into a namespace of their own, @d tells what came of it. */
static int install(struct netns *netns, const struct nat *nat, struct diag *d)
{
	const struct nat_router router = {.nat = nat, .outside = "internet"};
	CLEANUP(ruleset_free_cleanup) struct ruleset *ruleset = NULL;
	struct mnl_socket *socket;
	int r = ruleset_build(&router, &ruleset, d);

	if (r < 0)
		return r;
	cr_assert(netns_netfilter(netns, &socket, d) == 0);
	return ruleset_apply(ruleset, socket, d);
}

static bool told(const struct diag *d, const char *words)
{
	size_t i;

	for (i = 0; i < d->count; i++)
		if (strstr(d->entries[i].message, words))
			return true;
	diag_print(d, stderr, false);
	return false;
}

static void check_refused(const char *rules, const char *place, const char *words)
{
	__attribute__((cleanup(folder_remove))) struct folder folder = folder_with(rules);
	const struct nat nat = own(&folder);
	CLEANUP(netns_free_cleanup) struct netns *netns = NULL;
	AUTO_DIAG struct diag d = {0};
	struct stat before, after;

	SKIP_UNLESS(geteuid() == 0, "needs root, or: unshare -Urn THIS_TEST");
	cr_assert(netns_new(&netns, &d) == 0);
	cr_assert(stat("/proc/thread-self/ns/net", &before) == 0);
	cr_assert_eq(install(netns, &nat, &d), -EINVAL);
	cr_assert(stat("/proc/thread-self/ns/net", &after) == 0);
	cr_assert_eq(before.st_ino, after.st_ino, "the caller was left in another namespace");
	cr_assert(told(&d, place), "no place like %s is told", place);
	cr_assert(told(&d, words), "the words are not nft's: %s", words);
}

Test(custom, mistakes_are_told_with_nfts_own_words)
{
	check_refused("table ip mine {\n\tchain c {\n\t\tudp dprot 5\n\t}\n}\n",
		      "own.nft:3:", "syntax error");
	check_refused("table ip mine {\n\tchain c {\n\t\tjump nowhere\n\t}\n}\n",
		      "own.nft:3:", "No such file");
	check_refused("include \"nothing.nft\"\n", "own.nft:1:", "nothing.nft");
}

Test(custom, a_file_that_is_not_there_is_an_error)
{
	const struct nat nat = {
		.name = "custom", .kind = NAT_CUSTOM, .rules = "/nowhere/at/all.nft"};
	const struct nat_router router = {.nat = &nat, .outside = "internet"};
	struct ruleset *ruleset = NULL;
	AUTO_DIAG struct diag d = {0};

	cr_assert_eq(ruleset_build(&router, &ruleset, &d), -ENOENT);
	cr_assert(told(&d, "/nowhere/at/all.nft"));
}
