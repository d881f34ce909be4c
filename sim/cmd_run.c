/* SPDX-License-Identifier: MIT */
/*
 * natsim run: build the lab, run its steps, judge what happened.
 *
 * All files are loaded before anything is built, so that a mistake in the last one
 * costs no waiting. The labs then live one after the other in one supervisor process;
 * everything printed is printed there or here, by this file alone.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "base/term.h"
#include "cmd.h"
#include "conform/selfcheck.h"
#include "lab/lab.h"
#include "observe/play.h"
#include "plan/plan.h"
#include "topo/topo.h"
#include "usage.h"
#include "verdict/report.h"
#include "verdict/verdict.h"

struct options {
	bool json;
	const char *output; /* NULL: stdout */
	const char *colour; /* auto, always, never */
	enum report_detail detail;
	size_t inject_failure;
	bool no_self_check;
};

/* One file from model to verdict. */
struct job {
	struct topo *topo;
	struct plan *plan;
	struct timeline *timeline;
	struct judgement *judgement;
	struct self_checks self_checks;
	struct diag trouble;
	int status;
};

struct session {
	struct options options;
	struct report_style style;
	struct job *jobs;
	size_t job_count;
	FILE *out;
	bool progress, colour_errors;
	const struct job *playing;
};

static void print_usage(FILE *out)
{
	fputs("usage: natsim run [OPTION...] FILE...\n"
	      "\n"
	      "Build the lab that each topology FILE describes (\"-\" is standard input), run its\n"
	      "steps, and judge what happened. Several files are run one after the other.\n"
	      "\n"
	      "  --format text|json   the report's form (default: text)\n"
	      "  --output FILE        write the report there instead of standard output\n"
	      "  --quiet              only what did not hold, and one line for each file\n"
	      "  --verbose            with all output, all mappings and all rules\n"
	      "  --no-self-check      trust the NATs without checking that they do what they "
	      "declare\n"
	      "  --color WHEN         auto (a terminal, and no NO_COLOR), always or never\n"
	      "  --inject-failure K   for testing natsim itself: let the kernel refuse step K of\n"
	      "                       the plan (see \"natsim plan FILE\")\n"
	      "  --help               this text\n"
	      "\n"
	      "Exit status: 0 all expectations held; 1 some did not, could not be decided, or the\n"
	      "run was interrupted; 2 wrong usage or topology, and nothing was built; 3 a lab "
	      "could\n"
	      "not be built or run; 4 this machine cannot run it.\n",
	      out);
}

/* --- options ----------------------------------------------------------------- */

static bool number_parse(const char *text, size_t *ret)
{
	char *end;
	unsigned long value;

	if (*text < '1' || *text > '9')
		return false;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end)
		return false;
	*ret = value;
	return true;
}

static int colour_parse(const char *word, struct options *ret)
{
	if (strcmp(word, "auto") != 0 && strcmp(word, "always") != 0 && strcmp(word, "never") != 0)
		return usage_error("run", "--color is auto, always or never, not", word);
	ret->colour = word;
	return STATUS_OK;
}

/* Returns STATUS_OK with optind at the first file, or the status to end with; *help is set for
 * --help. */
static int options_parse(int argc, char **argv, struct options *ret, bool *help)
{
	static const struct option table[] = {
		{"format", required_argument, NULL, 'f'},
		{"output", required_argument, NULL, 'o'},
		{"quiet", no_argument, NULL, 'q'},
		{"verbose", no_argument, NULL, 'v'},
		{"color", required_argument, NULL, 'c'},
		{"colour", required_argument, NULL, 'c'},
		{"no-self-check", no_argument, NULL, 'n'},
		{"inject-failure", required_argument, NULL, 'i'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option, r = STATUS_OK;

	*ret = (struct options){.colour = "auto", .detail = REPORT_NORMAL};
	*help = false;
	opterr = 0;
	optind = 1;
	while (r == STATUS_OK && !*help) {
		option = getopt_long(argc, argv, ":o:qvh", table, NULL);
		if (option < 0)
			break;
		switch (option) {
		case 'f':
			r = usage_format("run", optarg, &ret->json);
			break;
		case 'o':
			ret->output = optarg;
			break;
		case 'q':
			ret->detail = REPORT_QUIET;
			break;
		case 'v':
			ret->detail = REPORT_VERBOSE;
			break;
		case 'c':
			r = colour_parse(optarg, ret);
			break;
		case 'n':
			ret->no_self_check = true;
			break;
		case 'i':
			if (!number_parse(optarg, &ret->inject_failure))
				r = usage_error("run",
						"--inject-failure wants a step's number, not",
						optarg);
			break;
		case 'h':
			*help = true;
			break;
		case ':':
			r = usage_error("run", "a value is missing after", argv[optind - 1]);
			break;
		default:
			r = usage_error("run", "there is no option", argv[optind - 1]);
			break;
		}
	}
	return r;
}

/* --- jobs ---------------------------------------------------------------------- */

static void job_clear(struct job *job)
{
	judgement_free(job->judgement);
	self_checks_clear(&job->self_checks);
	timeline_free(job->timeline);
	plan_free(job->plan);
	topo_free(job->topo);
	diag_clear(&job->trouble);
}

static void session_clear(struct session *session)
{
	size_t i;

	for (i = 0; i < session->job_count; i++)
		job_clear(&session->jobs[i]);
	free(session->jobs);
}

/* Load every file, however many are wrong. */
static int jobs_load(struct session *session, char **files)
{
	AUTO_DIAG struct diag d = {0};
	struct job *job = session->jobs;
	int r = STATUS_OK;

	for (; *files; files++, job++) {
		if (topo_load(*files, &job->topo, &d) != 0 || plan_make(job->topo, &job->plan) != 0)
			r = STATUS_USAGE;
	}
	diag_print(&d, stderr, session->colour_errors);
	if (r && !d.errors)
		fprintf(stderr, "natsim: error: out of memory\n");
	return r;
}

/* --- progress ------------------------------------------------------------------- */

static void progress_clear(const struct session *session)
{
	if (session->progress)
		fputs("\r\033[K", stderr);
}

static void progress_step(void *data, size_t index)
{
	const struct session *session = data;
	const struct topo *topo = session->playing->topo;
	const struct step *step = &topo->steps[index];
	const struct program *program;

	if (!session->progress)
		return;
	if (step->program_count)
		program = &step->programs[0];
	else
		program = &topo->steps[step->target_step].programs[step->target_program];
	fprintf(stderr, "\r\033[K%s: step %zu/%zu: %s%s", topo->name, index + 1, topo->step_count,
		program->name, step->program_count > 1 ? " ..." : "");
	fflush(stderr);
}

/* --- running --------------------------------------------------------------------- */

static int job_play(struct session *session, struct job *job)
{
	CLEANUP(lab_free_cleanup) struct lab *lab = NULL;
	struct lab_options options = {.fail_step = session->options.inject_failure};
	struct play_options playing = {.progress = progress_step, .data = session};
	uint64_t before, built;
	int r = 0;

	job->self_checks.off = session->options.no_self_check;
	r = lab_check(job->topo, &job->trouble); /* before a self-check has built anything */
	if (!r && !job->self_checks.off)
		r = self_check(job->topo, &job->self_checks, &job->trouble);
	before = lab_clock();
	if (!r)
		r = lab_up(job->topo, job->plan, &options, &lab, &job->trouble);
	if (r)
		return r;
	built = lab_clock() - before;
	r = play(lab, job->topo, &playing, &job->timeline, &job->trouble);
	if (r)
		return r;
	job->timeline->built_ns = built;
	return verdict_judge(job->topo, job->timeline, &job->judgement);
}

static void job_run(struct session *session, struct job *job)
{
	int r;

	session->playing = job;
	r = job_play(session, job);
	progress_clear(session);
	if (r == -ENOMEM && !job->trouble.errors)
		diag_error(&job->trouble, ENOMEM, "out of memory");
	else if (r && !job->trouble.errors)
		diag_system(&job->trouble, -r, "the lab");
	if (job->trouble.count) {
		diag_while(&job->trouble, "%s", job->topo->file);
		diag_print(&job->trouble, stderr, session->colour_errors);
	}
	if (r)
		job->status = status_of_trouble(r);
	else
		job->status = judgement_good(job->judgement) ? STATUS_OK : STATUS_BROKEN;
}

static struct report_run job_report(const struct job *job)
{
	return (struct report_run){.topo = job->topo,
				   .timeline = job->timeline,
				   .judgement = job->judgement,
				   .trouble = &job->trouble,
				   .self_checks = &job->self_checks};
}

static void print_sum(const struct session *session)
{
	AUTO_FREE struct report_run *runs = calloc(session->job_count, sizeof(*runs));
	size_t i;

	for (i = 0; runs && i < session->job_count; i++)
		runs[i] = job_report(&session->jobs[i]);
	if (runs)
		report_text_sum(runs, session->job_count, &session->style, session->out);
}

static int print_json(const struct session *session)
{
	struct utsname machine;
	struct report_versions versions;
	struct report_run report;
	json_t *runs = json_array(), *document;
	size_t i;
	int r = 0;

	if (uname(&machine) != 0)
		strcpy(machine.release, "?");
	versions = report_versions(machine.release);
	for (i = 0; i < session->job_count && !r; i++) {
		report = job_report(&session->jobs[i]);
		r = json_array_append_new(runs, report_json(&report));
	}
	document = r ? NULL : report_json_document(&versions, runs);
	json_decref(runs);
	if (!document)
		return -ENOMEM;
	r = json_dumpf(document, session->out, JSON_INDENT(2));
	json_decref(document);
	fputc('\n', session->out);
	return r ? -ENOMEM : 0;
}

/* 4 is worse than 3 is worse than 1: a verdict says nothing about labs that never were. */
static int worst_status(const struct session *session)
{
	int worst = STATUS_OK;
	size_t i;

	for (i = 0; i < session->job_count; i++)
		if (session->jobs[i].status > worst)
			worst = session->jobs[i].status;
	return worst;
}

/* What the supervisor does. Its return value is natsim's exit status. */
static int work(void *data)
{
	struct session *session = data;
	struct report_run report;
	bool interrupted = false;
	size_t i;
	int r = 0;

	for (i = 0; i < session->job_count && !r; i++) {
		if (interrupted) {
			session->jobs[i].status = STATUS_BROKEN;
			diag_error(&session->jobs[i].trouble, EINTR,
				   "not run: the user interrupted");
			continue;
		}
		job_run(session, &session->jobs[i]);
		interrupted = session->jobs[i].judgement && session->jobs[i].judgement->interrupted;
		if (session->options.json)
			continue;
		report = job_report(&session->jobs[i]);
		if (i && session->style.detail != REPORT_QUIET)
			fputs("\n\n", session->out);
		r = report_text(&report, &session->style, session->out);
		fflush(session->out);
	}
	if (!r && session->options.json)
		r = print_json(session);
	else if (!r && session->job_count > 1)
		print_sum(session);
	if (fflush(session->out) != 0 || ferror(session->out)) {
		fprintf(stderr, "natsim: error: the report could not be written: %s\n",
			strerror(errno));
		return STATUS_LAB;
	}
	if (r) {
		fprintf(stderr, "natsim: error: out of memory while writing the report\n");
		return STATUS_LAB;
	}
	return worst_status(session);
}

static int supervise(struct session *session)
{
	AUTO_DIAG struct diag d = {0};
	int r = lab_supervise(work, session, &d);

	if (r >= 0)
		return r;
	if (!d.errors)
		diag_system(&d, -r, "the lab's supervisor");
	diag_print(&d, stderr, session->colour_errors);
	return r == -EPERM ? STATUS_UNSUPPORTED : status_of_trouble(r);
}

static bool wants_colour(const char *when, FILE *stream)
{
	if (strcmp(when, "auto") == 0)
		return term_colour(stream);
	return strcmp(when, "always") == 0;
}

static int open_output(struct session *session)
{
	if (!session->options.output) {
		session->out = stdout;
		return STATUS_OK;
	}
	session->out = fopen(session->options.output, "we");
	if (session->out)
		return STATUS_OK;
	fprintf(stderr, "natsim: error: %s: %s\n", session->options.output, strerror(errno));
	return STATUS_USAGE;
}

static int run_files(struct session *session, char **files)
{
	int r;

	session->jobs = calloc(session->job_count, sizeof(*session->jobs));
	if (!session->jobs) {
		fprintf(stderr, "natsim: error: out of memory\n");
		return STATUS_LAB;
	}
	session->colour_errors = wants_colour(session->options.colour, stderr);
	r = jobs_load(session, files);
	if (r == STATUS_OK)
		r = open_output(session);
	if (r != STATUS_OK)
		return r;
	session->style = (struct report_style){
		.detail = session->options.detail,
		.colour = wants_colour(session->options.colour, session->out),
	};
	session->progress = isatty(STDERR_FILENO) && session->style.detail != REPORT_QUIET;
	/* What is buffered now would be written by both processes. */
	fflush(NULL);
	r = supervise(session);
	if (session->out != stdout)
		fclose(session->out);
	return r;
}

int cmd_run(int argc, char **argv)
{
	struct session session = {0};
	bool help;
	int r = options_parse(argc, argv, &session.options, &help);

	if (r != STATUS_OK)
		return r;
	if (help) {
		print_usage(stdout);
		return STATUS_OK;
	}
	if (optind == argc) {
		fprintf(stderr,
			"natsim: error: which topology? \"natsim run --help\" tells more\n");
		return STATUS_USAGE;
	}
	session.job_count = (size_t)(argc - optind);
	r = run_files(&session, argv + optind);
	session_clear(&session);
	return r;
}
