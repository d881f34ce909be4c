/* SPDX-License-Identifier: MIT */
/*
 * natsim doctor: can this machine do it?
 *
 * Nothing is guessed from configuration files: each check does the very thing a
 * run would do (enter namespaces, build a small lab behind every named NAT, read
 * its tables, start an agent) and reports what the kernel said.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "base/term.h"
#include "cmd.h"
#include "kern/conntrack.h"
#include "lab/lab.h"
#include "plan/plan.h"
#include "topo/topo.h"
#include "usage.h"

enum { CHECKS_MAX = 64, AGENT_DEADLINE_MS = 5000 };

struct check {
	const char *name;
	bool ok;
	bool optional; /* without it most of natsim works */
	char *detail;  /* what was seen, or why not */
	char *remedy;  /* NULL when there is nothing to do */
};

struct examination {
	struct check checks[CHECKS_MAX];
	size_t count;
	bool json, colour;
};

static void examination_clear(struct examination *e)
{
	size_t i;

	for (i = 0; i < e->count; i++) {
		free(e->checks[i].detail);
		free(e->checks[i].remedy);
	}
	e->count = 0;
}

__attribute__((format(printf, 3, 4))) static void passed(struct examination *e, const char *name,
							 const char *format, ...)
{
	struct check *check;
	va_list args;

	if (e->count == CHECKS_MAX)
		return;
	check = &e->checks[e->count];
	*check = (struct check){.name = name, .ok = true};
	va_start(args, format);
	if (vasprintf(&check->detail, format, args) < 0)
		check->detail = NULL;
	va_end(args);
	e->count++;
}

/* Record what @d tells as the reason why @name does not work. */
static void failed(struct examination *e, const char *name, const struct diag *d)
{
	const struct diag_entry *last = d->count ? &d->entries[d->count - 1] : NULL;
	struct check *check;

	if (e->count == CHECKS_MAX)
		return;
	check = &e->checks[e->count++];
	*check = (struct check){.name = name};
	check->detail = last && last->message ? strdup(last->message) : NULL;
	check->remedy = last && last->help ? strdup(last->help) : NULL;
}

static void check_kernel(struct examination *e)
{
	struct utsname name;

	if (uname(&name) == 0)
		passed(e, "kernel", "%s %s, %s", name.sysname, name.release,
		       geteuid() == 0 ? "as root" : "as an ordinary user");
}

static void check_agents(struct examination *e)
{
	size_t i;

	for (i = 0; i < agents_count; i++) {
		AUTO_DIAG struct diag d = {0};
		AUTO_FREE char *path = NULL;

		if (lab_agent_path(agents[i].name, &path, &d) < 0)
			failed(e, "agent", &d);
		else
			passed(e, "agent", "%s", path);
	}
}

static void check_program(struct examination *e, struct lab *lab, size_t node)
{
	uint64_t deadline = lab_clock() + AGENT_DEADLINE_MS * UINT64_C(1000000);
	AUTO_DIAG struct diag d = {0};
	AUTO_FREE char *path = NULL;
	struct lab_event event = {0};
	struct child *child;

	if (lab_agent_path(agents[0].name, &path, &d) < 0)
		return; /* check_agents() has told it */
	if (lab_spawn(lab, node, (char *[]){path, (char[]){"--version"}, NULL}, NULL, &child, &d) <
	    0) {
		failed(e, "programs", &d);
		return;
	}
	do {
		if (lab_next(lab, deadline, &event) < 0 || event.kind == LAB_TIMEOUT)
			break;
	} while (event.kind != LAB_ENDED);
	if (event.kind == LAB_ENDED && child->end == CHILD_EXITED && child->status == 0) {
		passed(e, "programs", "started and watched inside a node");
		return;
	}
	diag_error(&d, EIO, "%s --version did not end well inside a node", path);
	failed(e, "programs", &d);
}

/* Build pc -- router -- internet with @nat on the router. Returns 0, or -errno with the reason in
 * @d. */
static int lab_behind(const char *nat, struct examination *e, bool first, struct diag *d)
{
	CLEANUP(topo_free_cleanup) struct topo *topo = NULL;
	CLEANUP(plan_free_cleanup) struct plan *plan = NULL;
	CLEANUP(lab_free_cleanup) struct lab *lab = NULL;
	AUTO_FREE struct flow *flows = NULL;
	struct lab_options options = {0};
	AUTO_FREE char *text = NULL;
	size_t flow_count;
	int r;

	r = asprintf(&text,
		     "name: doctor\n"
		     "networks: {internet: {type: internet}, office: {subnet: 192.168.1.0/24}}\n"
		     "nodes:\n"
		     "  router: {interfaces: {internet: 1.2.3.4, office: 192.168.1.254}, nat: %s}\n"
		     "  pc1: {interfaces: {office: 192.168.1.1}}\n"
		     "  pc2: {interfaces: {office: 192.168.1.2}}\n",
		     nat);
	if (r < 0) {
		text = NULL;
		return -ENOMEM;
	}
	r = topo_load_text("doctor", text, strlen(text), &topo, d);
	if (r == 0)
		r = plan_make(topo, &plan);
	if (r == 0)
		r = lab_up(topo, plan, &options, &lab, d);
	if (r == 0)
		r = conntrack_dump(lab_netns(lab, topo_find_node(topo, "router")), &flows,
				   &flow_count, d);
	if (r == 0 && first)
		check_program(e, lab, topo_find_node(topo, "pc1"));
	return r;
}

static void check_nats(struct examination *e)
{
	size_t i;

	for (i = 0; i < nat_names_count; i++) {
		AUTO_DIAG struct diag d = {0};

		if (lab_behind(nat_names[i].nat.name, e, i == 0, &d) < 0) {
			diag_while(&d, "%s", nat_names[i].nat.name);
			failed(e, "nat", &d);
		} else {
			passed(e, "nat", "%s", nat_names[i].nat.name);
		}
	}
}

/* What only some topologies ask for. */
static void check_port_mapping(struct examination *e)
{
	AUTO_DIAG struct diag d = {0};

	if (lab_behind("{base: port-restricted-cone, port-mapping: [nat-pmp, pcp, upnp]}", e, false,
		       &d) == 0) {
		passed(e, "ports", "a router that grants ports to those who ask (port-mapping)");
		return;
	}
	failed(e, "ports", &d);
	e->checks[e->count - 1].optional = true;
}

static bool healthy(const struct examination *e)
{
	size_t i;

	for (i = 0; i < e->count; i++)
		if (!e->checks[i].ok && !e->checks[i].optional)
			return false;
	return true;
}

static void print_text(const struct examination *e)
{
	const char *good = e->colour ? "\033[32mok\033[0m" : "ok";
	const char *bad = e->colour ? "\033[1;31mNO\033[0m" : "NO";
	const struct check *check;

	for (check = e->checks; check < e->checks + e->count; check++) {
		printf("%s  %-10s  %s\n",
		       check->ok         ? good
		       : check->optional ? "--"
					 : bad,
		       check->name, check->detail ? check->detail : "(out of memory)");
		if (check->remedy)
			printf("                help: %s\n", check->remedy);
	}
	puts(healthy(e) ? "This machine can run natsim."
			: "This machine cannot run natsim as it is.");
}

static void print_json(const struct examination *e)
{
	json_t *checks = json_array();
	json_t *document;
	size_t i;

	for (i = 0; i < e->count; i++)
		json_array_append_new(checks, json_pack("{s:s, s:b, s:b, s:s?, s:s?}", "name",
							e->checks[i].name, "ok", e->checks[i].ok,
							"optional", e->checks[i].optional, "detail",
							e->checks[i].detail, "remedy",
							e->checks[i].remedy));
	document = json_pack("{s:s, s:b, s:o}", "natsim", NATSIM_VERSION, "ok", healthy(e),
			     "checks", checks);
	json_dumpf(document, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(document);
}

static int report(const struct examination *e)
{
	if (e->json)
		print_json(e);
	else
		print_text(e);
	fflush(stdout);
	return healthy(e) ? STATUS_OK : STATUS_UNSUPPORTED;
}

static int examine(void *data)
{
	struct examination *e = data;

	passed(e, "namespaces", "%s",
	       geteuid() == 0 ? "pid, mount, network" : "user, pid, mount, network");
	check_nats(e);
	check_port_mapping(e);
	return report(e);
}

static void print_help(void)
{
	puts("usage: natsim doctor [--format text|json]\n\n"
	     "Do what a run would do (enter namespaces, build a small lab behind every named\n"
	     "NAT, read its tables, start an agent) and say what this machine cannot do, why,\n"
	     "and the remedy.\n\n"
	     "Exit status: 0 everything works, 4 something does not, 2 wrong usage.");
}

int cmd_doctor(int argc, char **argv)
{
	static const struct option longs[] = {
		{"format", required_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	CLEANUP(examination_clear) struct examination e = {.colour = term_colour(stdout)};
	AUTO_DIAG struct diag d = {0};
	int option, status;

	while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (option) {
		case 'f':
			if (usage_format("doctor", optarg, &e.json) != STATUS_OK)
				return STATUS_USAGE;
			break;
		case 'h':
			print_help();
			return STATUS_OK;
		default:
			return STATUS_USAGE;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "natsim: error: doctor takes no argument, and \"%s\" is one\n",
			argv[optind]);
		return STATUS_USAGE;
	}
	check_kernel(&e);
	check_agents(&e);
	fflush(stdout);
	status = lab_supervise(examine, &e, &d);
	if (status < 0) {
		failed(&e, "namespaces", &d);
		return report(&e);
	}
	return status;
}
