/* SPDX-License-Identifier: MIT */
/* natsim conform: does a NAT do what it declares, and what do the RFCs say to that? */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "base/term.h"
#include "cmd.h"
#include "conform/conform.h"
#include "conform/report.h"
#include "conform/selfcheck.h"
#include "lab/lab.h"
#include "topo/suggest.h"
#include "topo/topo.h"
#include "usage.h"

/* Where a NAT without a topology is put to the test. */
#define EXAMPLE_OUTSIDE "internet"
#define EXAMPLE_EXTERNAL "1.2.3.4"
#define EXAMPLE_INSIDE "home"
#define EXAMPLE_LAN "192.168.1.254/24"

/* One NAT to be tried. */
struct job {
	struct topo *topo; /* NULL for a named NAT */
	struct subject subject;
	struct conformance conformance;
	bool tried;
};

struct session {
	bool json, colour;
	unsigned int lifetime_ms;
	struct addr example;
	struct job *jobs;
	size_t job_count;
	struct topo **topos; /* owned; jobs borrow */
	size_t topo_count;
};

static void print_usage(FILE *out)
{
	fputs("usage: natsim conform [OPTION...] NAME | FILE | FILE:ROUTER ...\n"
	      "\n"
	      "Put a named NAT, or the routers of a topology, between hosts of a standard bed, "
	      "probe\n"
	      "them from inside and outside, and print for each declared axis what was observed, "
	      "and\n"
	      "for each requirement of RFC 4787, 5382, 5508 and 6888 whether it is met.\n"
	      "\n"
	      "  --format text|json  the report's form (default: text)\n"
	      "  --scale SECONDS     try longer lifetimes as this one (default: 0.4); 0: none at "
	      "all\n"
	      "  --help              this text\n"
	      "\n"
	      "Exit status: 0 every declared axis is held, whatever the RFCs say to it; 1 one is "
	      "not;\n"
	      "2 wrong usage or topology; 3 the bed could not be built; 4 this machine cannot do "
	      "it.\n",
	      out);
}

static struct job *job_add(struct session *session)
{
	struct job *jobs =
		reallocarray(session->jobs, session->job_count + 1, sizeof(*session->jobs));

	if (!jobs)
		return NULL;
	session->jobs = jobs;
	jobs += session->job_count++;
	memset(jobs, 0, sizeof(*jobs));
	return jobs;
}

static int add_named(struct session *session, const struct nat_named *named)
{
	struct job *job = job_add(session);

	if (!job)
		return -ENOMEM;
	job->conformance.declared = named->nat;
	job->subject = (struct subject){
		.outside = EXAMPLE_OUTSIDE, .inside = EXAMPLE_INSIDE, .external_count = 1};
	prefix_parse(EXAMPLE_LAN, &job->subject.lan);
	return 0;
}

static int add_router(struct session *session, struct topo *topo, size_t node)
{
	struct job *job = job_add(session);

	if (!job)
		return -ENOMEM;
	job->topo = topo;
	job->conformance.file = topo->file;
	job->conformance.router = topo->nodes[node].name;
	job->conformance.declared = topo->nodes[node].nat;
	job->subject = self_check_subject(topo, node);
	return 0;
}

static int add_routers(struct session *session, const char *file, const char *router,
		       struct diag *d)
{
	struct topo **topos = reallocarray(session->topos, session->topo_count + 1, sizeof(*topos));
	struct suggestion near = suggest_for(router ? router : "");
	struct topo *topo;
	size_t i, found = 0;
	int r;

	if (!topos)
		return -ENOMEM;
	session->topos = topos;
	r = topo_load(file, &topo, d);
	if (r < 0)
		return r;
	topos[session->topo_count++] = topo;
	for (i = 0; i < topo->node_count; i++) {
		if (!topo->nodes[i].has_nat)
			continue;
		suggest(&near, topo->nodes[i].name);
		if (router && strcmp(router, topo->nodes[i].name) != 0)
			continue;
		found++;
		r = add_router(session, topo, i);
		if (r < 0)
			return r;
	}
	if (found)
		return 0;
	if (!router)
		return diag_error(d, EINVAL, "%s has no router with a NAT", file);
	diag_error(d, EINVAL, "%s has no router with a NAT called \"%s\"", file, router);
	if (near.best)
		diag_help(d, "did you mean \"%s\"?", near.best);
	return -EINVAL;
}

static int add_argument(struct session *session, const char *argument, struct diag *d)
{
	const struct nat_named *named = nat_find(argument);
	const char *colon = strrchr(argument, ':');
	struct suggestion near = suggest_for(argument);
	AUTO_FREE char *file = NULL;
	size_t i;

	if (named)
		return add_named(session, named);
	if (access(argument, F_OK) == 0 || strcmp(argument, "-") == 0)
		return add_routers(session, argument, NULL, d);
	if (colon) {
		file = strndup(argument, (size_t)(colon - argument));
		return file ? add_routers(session, file, colon + 1, d) : -ENOMEM;
	}
	diag_error(d, EINVAL, "\"%s\" is neither a NAT nor a file", argument);
	for (i = 0; i < nat_names_count; i++)
		suggest(&near, nat_names[i].nat.name);
	if (near.best)
		diag_help(d, "did you mean \"%s\"?", near.best);
	else
		diag_help(d, "\"natsim rules --list\" lists the named NATs");
	return -EINVAL;
}

/* --- trying ------------------------------------------------------------------------ */

static int job_try(struct session *session, struct job *job, struct diag *d)
{
	struct conformance *c = &job->conformance;
	int r;

	if (!job->topo)
		job->subject.externals = &session->example;
	c->lifetime_ms = session->lifetime_ms;
	c->external_count = job->subject.external_count;
	c->tried = conform_scaled(&c->declared, c->lifetime_ms);
	job->subject.nat = &c->declared;
	r = conform_observe(&job->subject, CONFORM_WHOLE, c->lifetime_ms, &c->observed, d);
	if (r < 0) {
		diag_while(d, "%s%s%s", c->file ? c->file : c->declared.name, c->file ? ":" : "",
			   c->file ? c->router : "");
		return r;
	}
	conformance_judge(c);
	job->tried = true;
	return 0;
}

static int print_json(const struct session *session)
{
	json_t *nats = json_array(), *document;
	bool ok = true;
	size_t i;
	int r = 0;

	for (i = 0; i < session->job_count && !r; i++) {
		if (!session->jobs[i].tried) {
			ok = false;
			continue;
		}
		ok = ok && conformance_good(&session->jobs[i].conformance);
		r = json_array_append_new(nats, conformance_json(&session->jobs[i].conformance));
	}
	document = json_pack("{s:s, s:b, s:o}", "natsim", NATSIM_VERSION, "ok", ok, "nats", nats);
	if (r || !document) {
		json_decref(document);
		return -ENOMEM;
	}
	r = json_dumpf(document, stdout, JSON_INDENT(2));
	json_decref(document);
	putchar('\n');
	return r ? -EIO : 0;
}

static int worse(int a, int b)
{
	return a > b ? a : b;
}

/* What the supervisor does. Its return value is the exit status. */
static int work(void *data)
{
	struct session *session = data;
	int status = STATUS_OK, r;
	struct job *job;

	for (job = session->jobs; job < session->jobs + session->job_count; job++) {
		AUTO_DIAG struct diag d = {0};

		r = job_try(session, job, &d);
		if (r < 0 && !d.errors)
			diag_system(&d, -r, "the bed");
		diag_print(&d, stderr, term_colour(stderr));
		if (r < 0) {
			status = worse(status, status_of_trouble(r));
			continue;
		}
		if (!conformance_good(&job->conformance))
			status = worse(status, STATUS_BROKEN);
		if (session->json)
			continue;
		if (job != session->jobs)
			fputs("\n\n", stdout);
		conformance_text(&job->conformance, session->colour, stdout);
		fflush(stdout);
	}
	if (session->json && print_json(session) < 0)
		status = STATUS_LAB;
	if (fflush(stdout) != 0 || ferror(stdout))
		status = STATUS_LAB;
	return status;
}

static int supervise(struct session *session)
{
	AUTO_DIAG struct diag d = {0};
	int r;

	addr_parse(EXAMPLE_EXTERNAL, &session->example);
	session->colour = term_colour(stdout);
	fflush(NULL);
	r = lab_supervise(work, session, &d);
	if (r >= 0)
		return r;
	if (!d.errors)
		diag_system(&d, -r, "the bed's supervisor");
	diag_print(&d, stderr, term_colour(stderr));
	return r == -EPERM ? STATUS_UNSUPPORTED : status_of_trouble(r);
}

static int prepare(struct session *session, char **arguments)
{
	AUTO_DIAG struct diag d = {0};
	int r = 0, one;

	for (; *arguments; arguments++) {
		one = add_argument(session, *arguments, &d);
		r = one < 0 ? one : r;
	}
	diag_print(&d, stderr, term_colour(stderr));
	if (r == -ENOMEM && !d.errors)
		fputs("natsim: error: out of memory\n", stderr);
	return r;
}

static void session_clear(struct session *session)
{
	size_t i;

	for (i = 0; i < session->topo_count; i++)
		topo_free(session->topos[i]);
	free(session->topos);
	free(session->jobs);
}

static bool seconds_parse(const char *text, unsigned int *ret_ms)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds >= 0) || seconds > 600 ||
	    (seconds > 0 && seconds < 0.2))
		return false;
	*ret_ms = (unsigned int)(seconds * 1000 + 0.5);
	return true;
}

/* Returns STATUS_OK with optind at the first argument, or the status to end with, or -1 for help.
 */
static int options_parse(int argc, char **argv, struct session *ret)
{
	static const struct option table[] = {
		{"format", required_argument, NULL, 'f'},
		{"scale", required_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	ret->lifetime_ms = CONFORM_LIFETIME_MS;
	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, ":h", table, NULL)) != -1) {
		switch (option) {
		case 'f':
			if (usage_format("conform", optarg, &ret->json) != STATUS_OK)
				return STATUS_USAGE;
			break;
		case 's':
			if (!seconds_parse(optarg, &ret->lifetime_ms))
				return usage_error("conform",
						   "--scale is 0, or 0.2 to 600 seconds, not",
						   optarg);
			break;
		case 'h':
			return -1;
		case ':':
			return usage_error("conform", "a value is missing after", argv[optind - 1]);
		default:
			return usage_error("conform", "there is no option", argv[optind - 1]);
		}
	}
	return STATUS_OK;
}

int cmd_conform(int argc, char **argv)
{
	struct session session = {0};
	int r = options_parse(argc, argv, &session);

	if (r < 0) {
		print_usage(stdout);
		return STATUS_OK;
	}
	if (r != STATUS_OK)
		return r;
	if (optind == argc) {
		fputs("natsim: error: which NAT? \"natsim conform --help\" tells more\n", stderr);
		return STATUS_USAGE;
	}
	r = prepare(&session, argv + optind) < 0 ? STATUS_USAGE : supervise(&session);
	session_clear(&session);
	return r;
}
