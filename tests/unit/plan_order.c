/* SPDX-License-Identifier: MIT */
/* What must hold of every plan, whatever the topology; tried on all there are. */
#include <criterion/criterion.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "plan/plan.h"
#include "topo/topo.h"

struct subject {
	const char *path;
	struct topo *topo;
	struct plan *plan;
};

/* Call @check with the plan of every topology in the tree. */
static void each_plan(void (*check)(const struct subject *subject))
{
	struct subject subject;
	AUTO_DIAG struct diag d = {0};
	glob_t found;
	size_t i;

	cr_assert_eq(glob(TEST_SOURCE_DIR "/topologies/*.yaml", 0, NULL, &found), 0);
	cr_assert_eq(glob(TEST_SOURCE_DIR "/tests/golden/plan-*.yaml", GLOB_APPEND, NULL, &found),
		     0);
	for (i = 0; i < found.gl_pathc; i++) {
		subject = (struct subject){.path = found.gl_pathv[i]};
		cr_assert_eq(topo_load(subject.path, &subject.topo, &d), 0, "%s", subject.path);
		cr_assert_eq(plan_make(subject.topo, &subject.plan), 0, "%s", subject.path);
		check(&subject);
		plan_free(subject.plan);
		topo_free(subject.topo);
	}
	globfree(&found);
}

/* Whether one of the first @before steps made the device @name in @space. */
static bool made(const struct plan *plan, size_t before, size_t space, const char *name)
{
	const struct plan_step *step;
	size_t i;

	if (strcmp(name, "lo") == 0)
		return true;
	for (i = 0; i < before; i++) {
		step = &plan->steps[i];
		if (step->kind == PLAN_BRIDGE && step->space == space &&
		    strcmp(step->bridge.name, name) == 0)
			return true;
		if (step->kind == PLAN_LINK && step->space == space &&
		    strcmp(step->link.name, name) == 0)
			return true;
		if (step->kind == PLAN_LINK && step->link.peer_space == space &&
		    strcmp(step->link.peer_name, name) == 0)
			return true;
	}
	return false;
}

static const char *device_used(const struct plan_step *step)
{
	switch (step->kind) {
	case PLAN_ADDRESS:
		return step->address.device;
	case PLAN_UP:
		return step->up.device;
	case PLAN_ROUTE:
		return step->route.device;
	case PLAN_RULES:
		return step->rules.outside;
	case PLAN_LINK:
		return step->link.master;
	case PLAN_NAMESPACE:
	case PLAN_SYSCTL:
	case PLAN_BRIDGE:
	case PLAN_KINDS:
		break;
	}
	return "";
}

static void check_devices(const struct subject *s)
{
	const struct plan_step *step;
	const char *device;
	size_t i;

	for (i = 0; i < s->plan->step_count; i++) {
		step = &s->plan->steps[i];
		device = device_used(step);
		if (device[0])
			cr_assert(made(s->plan, i, step->space, device),
				  "%s: step %zu uses %s before it is there", s->path, i + 1,
				  device);
		if (step->kind == PLAN_LINK) {
			cr_assert_not(made(s->plan, i, step->space, step->link.name),
				      "%s: step %zu makes a second %s", s->path, i + 1,
				      step->link.name);
			cr_assert_not(made(s->plan, i, step->link.peer_space, step->link.peer_name),
				      "%s: step %zu makes a second %s", s->path, i + 1,
				      step->link.peer_name);
		}
	}
}

Test(order, every_device_is_made_once_and_before_it_is_used)
{
	each_plan(check_devices);
}

static void check_settings(const struct subject *s)
{
	bool linked[1024] = {false}, ruled[1024] = {false};
	const struct plan_step *step;
	size_t i;

	for (i = 0; i < s->plan->step_count; i++) {
		step = &s->plan->steps[i];
		if (step->kind == PLAN_LINK) {
			linked[step->space] = true;
			linked[step->link.peer_space] = true;
		}
		if (step->kind == PLAN_RULES)
			ruled[step->space] = true;
		if (step->kind != PLAN_SYSCTL)
			continue;
		if (strncmp(step->sysctl.key, "net/netfilter/", 14) == 0)
			cr_assert(ruled[step->space],
				  "%s: step %zu, but a module is not loaded yet", s->path, i + 1);
		else
			cr_assert_not(linked[step->space], "%s: step %zu comes too late for a link",
				      s->path, i + 1);
	}
}

Test(order, settings_precede_links_and_conntracks_follow_the_rules)
{
	each_plan(check_settings);
}

static void check_rules(const struct subject *s)
{
	size_t i, rules = 0, nats = 0;

	for (i = 0; i < s->plan->step_count; i++) {
		rules += s->plan->steps[i].kind == PLAN_RULES;
		if (rules > 0)
			cr_assert(s->plan->steps[i].kind == PLAN_RULES ||
					  s->plan->steps[i].kind == PLAN_SYSCTL,
				  "%s: step %zu follows the rules", s->path, i + 1);
	}
	for (i = 0; i < s->topo->node_count; i++)
		nats += s->topo->nodes[i].has_nat;
	cr_assert_eq(rules, nats, "%s: %zu rulesets for %zu NATs", s->path, rules, nats);
}

Test(order, every_nat_gets_its_rules_after_all_links)
{
	each_plan(check_rules);
}

static void check_forwarding(const struct subject *s)
{
	const struct plan_step *step;
	size_t i, node, seen = 0;
	bool forwards;

	for (i = 0; i < s->plan->step_count; i++) {
		step = &s->plan->steps[i];
		if (step->kind != PLAN_SYSCTL ||
		    strcmp(step->sysctl.key, "net/ipv4/ip_forward") != 0)
			continue;
		node = s->plan->spaces[step->space].node;
		forwards = node == TOPO_NONE
				   ? strcmp(s->plan->spaces[step->space].name, "(switch)") != 0
				   : s->topo->nodes[node].router;
		cr_assert_str_eq(step->sysctl.value, forwards ? "1" : "0", "%s: step %zu", s->path,
				 i + 1);
		seen++;
	}
	cr_assert_eq(seen, s->plan->space_count, "%s: a namespace keeps the host's setting",
		     s->path);
}

Test(order, routers_and_the_core_forward_and_nobody_else)
{
	each_plan(check_forwarding);
}

static struct topo *load(const char *text)
{
	AUTO_DIAG struct diag d = {0};
	struct topo *topo = NULL;

	if (topo_load_text("test.yaml", text, strlen(text), &topo, &d) < 0)
		diag_print(&d, stderr, false);
	cr_assert(topo);
	return topo;
}

static bool has_line(const struct plan *plan, const char *line)
{
	char text[256];
	size_t i;

	for (i = 0; i < plan->step_count; i++) {
		plan_step_format(plan, &plan->steps[i], text, sizeof(text));
		if (strcmp(text, line) == 0)
			return true;
	}
	return false;
}

Test(names, a_port_whose_name_is_taken_gets_a_number_and_stays_short_enough)
{
	struct topo *topo = load("name: t\n"
				 "networks:\n"
				 "  fifteen-letters: {subnet: 10.0.1.0/24}\n"
				 "nodes:\n"
				 "  fifteen-letters: {interfaces: {fifteen-letters: 10.0.1.1}}\n"
				 "  b: {interfaces: {fifteen-letters: 10.0.1.2}}\n"
				 "  c: {interfaces: {fifteen-letters: 10.0.1.3}}\n");
	struct plan *plan = NULL;

	cr_assert_eq(plan_make(topo, &plan), 0);
	cr_assert(has_line(plan, "(switch): bridge fifteen-letters"));
	cr_assert(has_line(plan, "(switch): link fifteen-lette-2 to fifteen-letters's "
				 "fifteen-letters, in bridge fifteen-letters"));
	plan_free(plan);
	topo_free(topo);
}

Test(routes, what_a_nat_hides_is_routed_from_nowhere_outside)
{
	struct topo *topo = load("name: t\n"
				 "networks:\n"
				 "  internet: {type: internet}\n"
				 "  home: {subnet: 10.0.1.0/24}\n"
				 "nodes:\n"
				 "  nat: {interfaces: {internet: 1.2.3.4, home: 10.0.1.254}, nat: "
				 "full-cone}\n"
				 "  pc: {interfaces: {home: 10.0.1.1}}\n");
	struct plan *plan = NULL;
	size_t i;

	cr_assert_eq(plan_make(topo, &plan), 0);
	for (i = 0; i < plan->step_count; i++)
		if (plan->steps[i].kind == PLAN_ROUTE && plan->steps[i].route.to.len == 24)
			cr_assert_fail("the way to the home network is known outside");
	plan_free(plan);
	topo_free(topo);
}

Test(format, a_text_that_does_not_fit_is_cut_and_its_length_told)
{
	struct topo *topo = load("name: t\nnetworks: {internet: {type: internet}}\n"
				 "nodes: {host: {interfaces: {internet: 9.9.9.9}}}\n");
	struct plan *plan = NULL;
	char text[8];

	cr_assert_eq(plan_make(topo, &plan), 0);
	cr_assert_eq(plan_step_format(plan, &plan->steps[0], text, sizeof(text)),
		     (int)strlen("host: namespace"));
	cr_assert_str_eq(text, "host: n");
	plan_free(plan);
	topo_free(topo);
}
