/* SPDX-License-Identifier: MIT */
/* A lab that is built works; one that cannot be built says why and leaves nothing. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "support/in_lab.h"

static size_t entries_of(const char *path)
{
	DIR *dir = opendir(path);
	size_t count = 0;

	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count;
}

static int body_names_work(void *data)
{
	AUTO_BUILT struct built built;
	struct child *child;

	(void)data;
	EXPECT(built_up(two_homes, NULL, &built) == 0, "no lab");
	EXPECT(spawn_shell(&built, "pc1", "ping -c1 -W2 server && ping -c1 -W2 router2", &child) ==
		       0,
	       "ping did not start");
	EXPECT(wait_end(built.lab, child, 5000) == 0, "ping did not end");
	EXPECT(child->end == CHILD_EXITED && child->status == 1,
	       "server must answer and router2's guard must not: status %d, said %s%s",
	       child->status, child->out.text, child->err.text ? child->err.text : "");
	EXPECT(strstr(child->out.text, "bytes from server (9.9.9.9)"), "said %s", child->out.text);
	return 0;
}

Test(up, hosts_reach_the_internet_by_name_through_their_nat, .timeout = 20)
{
	in_lab(body_names_work, NULL);
}

Test(up, an_ordinary_user_gets_the_same_lab, .timeout = 20)
{
	in_lab_as_nobody(body_names_work, NULL);
}

static int body_nobodys_address(void *data)
{
	AUTO_BUILT struct built built;
	struct child *child;

	(void)data;
	EXPECT(built_up(two_homes, NULL, &built) == 0, "no lab");
	EXPECT(spawn_shell(&built, "server", "ping -c1 -W0.2 3.3.3.3", &child) == 0, "no ping");
	EXPECT(wait_end(built.lab, child, 5000) == 0, "ping did not end");
	EXPECT(child->status == 1 && strstr(child->out.text, "100% packet loss") &&
		       !strstr(child->out.text, "errors"),
	       "an address nobody has must not be answered, not even by an error: %s",
	       child->out.text);
	EXPECT(spawn_shell(&built, "server", "ping -c1 -W1 -t1 1.2.3.4", &child) == 0, "no ping");
	EXPECT(wait_end(built.lab, child, 5000) == 0, "ping did not end");
	EXPECT(strstr(child->out.text, "Time to live exceeded") &&
		       strstr(child->out.text, "192.0.0.8"),
	       "the core must be a hop and answer as 192.0.0.8: %s", child->out.text);
	return 0;
}

Test(up, the_internet_is_a_hop_that_swallows_what_is_for_nobody, .timeout = 20)
{
	in_lab(body_nobodys_address, NULL);
}

/* Plain routers, one behind the other, and a LAN with three members. */
static const char office[] = "name: office\n"
			     "networks:\n"
			     "  internet: {type: internet}\n"
			     "  dmz: {subnet: 20.0.1.0/24}\n"
			     "  lab: {subnet: 20.0.2.0/24}\n"
			     "nodes:\n"
			     "  outer: {interfaces: {internet: 1.2.3.4, dmz: 20.0.1.254}}\n"
			     "  inner: {interfaces: {dmz: 20.0.1.253, lab: 20.0.2.254}}\n"
			     "  web: {interfaces: {dmz: 20.0.1.1}}\n"
			     "  pc: {interfaces: {lab: 20.0.2.1}}\n"
			     "  far: {interfaces: {internet: 9.9.9.9}}\n";

static int body_plain_routers(void *data)
{
	static const char *const pairs[][2] = {
		{"far", "pc"}, {"pc", "far"}, {"web", "pc"}, {"pc", "web"}, {"far", "web"},
	};
	AUTO_BUILT struct built built;
	struct child *child;
	char script[64];
	size_t i;

	(void)data;
	EXPECT(built_up(office, NULL, &built) == 0, "no lab");
	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		snprintf(script, sizeof(script), "ping -c1 -W2 %s", pairs[i][1]);
		EXPECT(spawn_shell(&built, pairs[i][0], script, &child) == 0, "no ping");
		EXPECT(wait_end(built.lab, child, 5000) == 0, "ping did not end");
		EXPECT(child->status == 0, "%s cannot reach %s: %s", pairs[i][0], pairs[i][1],
		       child->out.text ? child->out.text : child->err.text);
	}
	return 0;
}

Test(up, what_is_behind_plain_routers_is_reachable_from_everywhere, .timeout = 20)
{
	in_lab(body_plain_routers, NULL);
}

static int body_two_labs(void *data)
{
	AUTO_BUILT struct built first, second = {0};
	size_t files = entries_of("/sys");
	struct child *child;

	(void)data;
	EXPECT(built_up(two_homes, NULL, &first) == 0, "no first lab");
	EXPECT(built_up(two_homes, NULL, &second) == 0, "no second lab beside the first");
	EXPECT(spawn_shell(&second, "pc2", "ping -c1 -W2 server", &child) == 0, "no ping");
	EXPECT(wait_end(second.lab, child, 5000) == 0, "ping did not end");
	EXPECT(child->status == 0, "the second lab does not work: %s", child->out.text);
	built_free(&second);
	second = (struct built){0};
	EXPECT(spawn_shell(&first, "pc1", "ping -c1 -W2 server", &child) == 0, "no ping");
	EXPECT(wait_end(first.lab, child, 5000) == 0, "ping did not end");
	EXPECT(child->status == 0, "the first lab died with the second: %s", child->out.text);
	lab_free(STEAL(first.lab));
	EXPECT(entries_of("/sys") == files, "files of the labs are left");
	return 0;
}

Test(up, two_labs_with_the_same_addresses_live_side_by_side, .timeout = 20)
{
	in_lab(body_two_labs, NULL);
}

/* Refuse step @k and hold the message and what is left against what they should be. */
static int refuse(const struct built *built, size_t k)
{
	size_t descriptors = entries_of("/proc/self/fd"), files = entries_of("/sys");
	struct lab_options options = {.fail_step = k};
	AUTO_DIAG struct diag d = {0};
	char step[256], expected[320];
	struct lab *lab = NULL;
	int r;

	plan_step_format(built->plan, &built->plan->steps[k - 1], step, sizeof(step));
	snprintf(expected, sizeof(expected), "while building step %zu (%s): ", k, step);
	r = lab_up(built->topo, built->plan, &options, &lab, &d);
	EXPECT(r == -EPERM, "step %zu (%s) was refused, lab_up() said %d", k, step, r);
	EXPECT(!lab, "a lab in spite of step %zu", k);
	EXPECT(d.count == 1 && strncmp(d.entries[0].message, expected, strlen(expected)) == 0,
	       "\"%s\" does not begin with \"%s\"", d.count ? d.entries[0].message : "", expected);
	EXPECT(strstr(d.entries[0].message, "Operation not permitted"), "\"%s\" gives no reason",
	       d.entries[0].message);
	EXPECT(entries_of("/proc/self/fd") == descriptors,
	       "%zu descriptors before step %zu was refused, %zu after", descriptors, k,
	       entries_of("/proc/self/fd"));
	EXPECT(entries_of("/sys") == files, "files are left of step %zu", k);
	EXPECT(entries_of("/proc/sys/net/ipv4/conf") == 5, /* . .. all default lo */
	       "a link of step %zu is in the supervisor's own namespace", k);
	return 0;
}

static int body_every_step_refused(void *data)
{
	AUTO_BUILT struct built built;
	struct child *child;
	AUTO_DIAG struct diag d = {0};
	size_t k;

	(void)data;
	EXPECT(built_plan(two_homes, &built) == 0, "no plan");
	EXPECT(built.plan->step_count > 50, "the plan has only %zu steps", built.plan->step_count);
	for (k = 1; k <= built.plan->step_count; k++)
		if (refuse(&built, k) != 0)
			return 1;
	EXPECT(lab_up(built.topo, built.plan, NULL, &built.lab, &d) == 0,
	       "after all the refusals a lab cannot be built");
	EXPECT(spawn_shell(&built, "pc1", "ping -c1 -W2 server", &child) == 0, "no ping");
	EXPECT(wait_end(built.lab, child, 5000) == 0 && child->status == 0,
	       "after all the refusals a lab does not work");
	return 0;
}

Test(up, each_step_refused_in_turn_is_named_and_leaves_nothing, .timeout = 60)
{
	in_lab(body_every_step_refused, NULL);
}

/* Find the step of @kind in @space that follows @after. */
static size_t step_find(const struct plan *plan, enum plan_kind kind, const char *space)
{
	size_t i;

	for (i = 0; i < plan->step_count; i++)
		if (plan->steps[i].kind == kind &&
		    strcmp(plan->spaces[plan->steps[i].space].name, space) == 0)
			return i;
	return 0;
}

static int expect_refusal(struct built *built, size_t index, const char *words)
{
	AUTO_DIAG struct diag d = {0};
	char number[32];
	int r;

	snprintf(number, sizeof(number), "step %zu (", index + 1);
	r = lab_up(built->topo, built->plan, NULL, &built->lab, &d);
	EXPECT(r < 0, "the kernel did not refuse step %zu", index + 1);
	EXPECT(d.count == 1 && strstr(d.entries[0].message, number),
	       "\"%s\" does not name step %zu", d.count ? d.entries[0].message : "", index + 1);
	EXPECT(strstr(d.entries[0].message, words), "\"%s\" lacks the kernel's words \"%s\"",
	       d.entries[0].message, words);
	return 0;
}

static int body_kernel_refuses(void *data)
{
	struct {
		enum plan_kind kind;
		const char *space, *words;
	} const cases[] = {
		{PLAN_ROUTE, "pc1", "Nexthop has invalid gateway"},
		{PLAN_ADDRESS, "server", "Invalid prefix length"},
		{PLAN_LINK, "(internet)", "File exists"},
		{PLAN_SYSCTL, "router1", "No such file or directory"},
		{PLAN_RULES, "router1", "outside"},
	};
	struct plan_step *step;
	size_t i, index;

	(void)data;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_BUILT struct built built;

		EXPECT(built_plan(two_homes, &built) == 0, "no plan");
		index = step_find(built.plan, cases[i].kind, cases[i].space);
		step = &built.plan->steps[index];
		if (step->kind == PLAN_ROUTE)
			addr_parse("7.7.7.7", &step->route.via);
		else if (step->kind == PLAN_ADDRESS)
			step->address.prefix.len = 77;
		else if (step->kind == PLAN_LINK)
			strcpy(step->link.name, "lo");
		else if (step->kind == PLAN_SYSCTL)
			step->sysctl.key = "net/ipv4/no_such_key";
		else
			step->rules.outside[0] = '\0';
		if (expect_refusal(&built, index, cases[i].words) != 0)
			return 1;
	}
	return 0;
}

Test(up, the_kernels_own_words_and_the_right_step_are_told, .timeout = 30)
{
	in_lab(body_kernel_refuses, NULL);
}

/* As many nodes as a file may have. */
static int body_largest(void *data)
{
	AUTO_FREE char *text = NULL;
	AUTO_BUILT struct built built = {0};
	struct child *child;
	size_t size, i;
	FILE *out = open_memstream(&text, &size);

	(void)data;
	fprintf(out, "name: large\nnetworks: {internet: {type: internet}}\nnodes:\n");
	for (i = 0; i < TOPO_NODES_MAX; i++)
		fprintf(out, "  n%zu: {interfaces: {internet: 20.1.%zu.%zu}}\n", i, i / 256,
			i % 256);
	fclose(out);
	EXPECT(built_up(text, NULL, &built) == 0, "no lab of %d nodes", TOPO_NODES_MAX);
	EXPECT(spawn_shell(&built, "n0", "ping -c1 -W2 n511", &child) == 0, "no ping");
	EXPECT(wait_end(built.lab, child, 5000) == 0 && child->status == 0, "no answer: %s",
	       child->out.text);
	return 0;
}

Test(up, a_lab_may_have_as_many_nodes_as_a_file, .timeout = 60)
{
	in_lab(body_largest, NULL);
}
