/* SPDX-License-Identifier: MIT */
/*
 * Playing steps in a lab that is not there: this file is the lab. Its clock moves only
 * when an event is waited for, and its programs do what their manners say, so hours of
 * ignoring SIGTERM take no time and every race is decided.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/cleanup.h"
#include "kern/conntrack.h"
#include "lab/lab.h"
#include "observe/play.h"
#include "topo/topo.h"

#define MS UINT64_C(1000000)
#define NEVER UINT64_MAX

struct manner { /* of a program, by its name */
	const char *name;
	struct {
		uint64_t at_ms;
		const char *text;
	} lines[4];
	uint64_t ends_ms; /* by itself, after its start; 0: never */
	bool crashes;
	int status; /* or the signal */
	bool ignores_term;
	uint64_t spawn_ms;      /* how long executing it takes */
	uint64_t dies_after_ms; /* SIGKILL; 0 counts as 1 */
};

/* An end that is not told is by exit status 0; one at no time is never. */
static const struct manner manners[] = {
	{.name = "quick", .lines = {{1, "hello"}}, .ends_ms = 5},
	{.name = "slow", .ends_ms = 400},
	{.name = "fails", .ends_ms = 5, .status = 3},
	{.name = "crashes", .ends_ms = 5, .crashes = true, .status = SIGSEGV},
	{.name = "endless"},
	{.name = "heavy", .spawn_ms = 10},
	{.name = "stubborn", .ignores_term = true},
	{.name = "undead", .ignores_term = true, .dies_after_ms = 100},
	{.name = "immortal", .ignores_term = true, .dies_after_ms = 1000000},
	{.name = "tells", .lines = {{3, "booting"}, {7, "now listening on 80"}}},
	{.name = "stun-server", .lines = {{2, "{\"event\":\"ready\"}"}}},
	{.name = "rendezvous", .lines = {{1, "not json"}, {2, "[1]"}}, .ends_ms = 4, .status = 2},
	{.name = "detect",
	 .lines = {{2, "{\"event\":\"result\",\"type\":\"symmetric\"}"}},
	 .ends_ms = 3},
	{.name = "punch",
	 .lines = {{1, "{\"event\":\"ready\"}"},
		   {20, "{\"event\":\"connected\"}"},
		   {30, "{\"event\":\"result\",\"path\":\"direct\"}"}},
	 .ends_ms = 31},
};

enum { CHILDREN_MAX = 16 };

static struct inhabitant {
	struct child child;
	const struct manner *manner;
	size_t said;
	uint64_t asked, killed; /* when; NEVER */
	bool gone;
} inhabitants[CHILDREN_MAX];

static size_t inhabitant_count;
static uint64_t the_clock;
static uint64_t interrupts[4];
static size_t interrupts_left, interrupts_done;
static uint64_t dumped_at[32];
static size_t dumps;

static void begin(void)
{
	memset(inhabitants, 0, sizeof(inhabitants));
	inhabitant_count = 0;
	the_clock = 1000 * MS;
	interrupts_left = interrupts_done = 0;
	dumps = 0;
}

static void interrupt_at(uint64_t ms)
{
	interrupts[interrupts_done + interrupts_left++] = 1000 * MS + ms * MS;
}

uint64_t lab_clock(void)
{
	return the_clock;
}

struct netns *lab_netns(struct lab *lab, size_t node)
{
	(void)lab;
	(void)node;
	return NULL;
}

int conntrack_dump(struct netns *netns, struct flow **ret, size_t *ret_count, struct diag *d)
{
	(void)netns;
	(void)ret;
	(void)ret_count;
	dumped_at[dumps++] = the_clock;
	return diag_error(d, EIO, "no kernel here");
}

int lab_agent_path(const char *agent, char **ret, struct diag *d)
{
	(void)d;
	return asprintf(ret, "/agents/%s", agent) < 0 ? -ENOMEM : 0;
}

int lab_spawn(struct lab *lab, size_t node, char *const argv[], void *tag, struct child **ret,
	      struct diag *d)
{
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash ? slash + 1 : argv[0];
	struct inhabitant *new = &inhabitants[inhabitant_count];
	size_t i;

	(void)lab;
	for (i = 0; i < sizeof(manners) / sizeof(manners[0]); i++)
		if (strcmp(manners[i].name, name) == 0)
			break;
	if (i == sizeof(manners) / sizeof(manners[0]))
		return diag_error(d, ENOENT, "\"%s\": there is no such program", name);
	inhabitant_count++;
	the_clock += manners[i].spawn_ms * MS;
	*new = (struct inhabitant){.child = {.node = node, .started = the_clock, .tag = tag},
				   .manner = &manners[i],
				   .asked = NEVER,
				   .killed = NEVER};
	new->child.err.text = (char *)"words\n";
	new->child.err.length = new->child.err.total = 6;
	*ret = &new->child;
	return 0;
}

int lab_kill(struct lab *lab, struct child *child, int signal)
{
	struct inhabitant *inhabitant = (struct inhabitant *)child;

	(void)lab;
	if (signal == SIGKILL)
		inhabitant->killed = the_clock;
	else if (inhabitant->asked == NEVER)
		inhabitant->asked = the_clock;
	return 0;
}

/* When the next thing happens to it, and whether that is its end. */
static uint64_t next_of(const struct inhabitant *it, bool *ret_end)
{
	const struct manner *manner = it->manner;
	uint64_t end = !manner->ends_ms ? NEVER : it->child.started + manner->ends_ms * MS;
	uint64_t line = NEVER, dying = (manner->dies_after_ms ? manner->dies_after_ms : 1) * MS;

	if (it->asked != NEVER && !manner->ignores_term && it->asked + MS < end)
		end = it->asked + MS;
	if (it->killed != NEVER && it->killed + dying < end)
		end = it->killed + dying;
	if (it->said < 4 && manner->lines[it->said].text)
		line = it->child.started + manner->lines[it->said].at_ms * MS;
	*ret_end = end <= line;
	return it->gone ? NEVER : *ret_end ? end : line;
}

static void happen(struct inhabitant *it, bool end, struct lab_event *ret)
{
	bool by_us =
		!it->manner->ends_ms || the_clock < it->child.started + it->manner->ends_ms * MS;

	*ret = (struct lab_event){.child = &it->child, .when = the_clock};
	if (!end) {
		ret->kind = LAB_LINE;
		ret->line = it->manner->lines[it->said++].text;
		ret->length = strlen(ret->line);
		return;
	}
	ret->kind = LAB_ENDED;
	it->gone = true;
	it->child.ended = the_clock;
	it->child.end = by_us || it->manner->crashes ? CHILD_KILLED : CHILD_EXITED;
	it->child.status = !by_us ? it->manner->status : it->killed != NEVER ? SIGKILL : SIGTERM;
}

int lab_next(struct lab *lab, uint64_t deadline, struct lab_event *ret)
{
	struct inhabitant *first = NULL;
	uint64_t when = NEVER, at;
	bool end, first_end = false;
	size_t i;

	(void)lab;
	for (i = 0; i < inhabitant_count; i++) {
		at = next_of(&inhabitants[i], &end);
		if (at >= when)
			continue;
		when = at;
		first = &inhabitants[i];
		first_end = end;
	}
	if (interrupts_left && interrupts[interrupts_done] <= when &&
	    interrupts[interrupts_done] <= deadline) {
		at = interrupts[interrupts_done++];
		interrupts_left--;
		the_clock = at > the_clock ? at : the_clock;
		*ret = (struct lab_event){.kind = LAB_INTERRUPTED, .when = the_clock};
		return 0;
	}
	if (when > deadline) {
		the_clock = deadline > the_clock ? deadline : the_clock;
		*ret = (struct lab_event){.kind = LAB_TIMEOUT, .when = the_clock};
		return 0;
	}
	the_clock = when > the_clock ? when : the_clock;
	happen(first, first_end, ret);
	return 0;
}

/* --- the tests ---------------------------------------------------------------------- */

struct played {
	struct topo *topo;
	struct timeline *timeline;
};

static void played_clear(struct played *played)
{
	timeline_free(played->timeline);
	topo_free(played->topo);
}
#define AUTO_PLAYED CLEANUP(played_clear)

/* Play these steps with two hosts and a router; the clock must have been set by begin(). */
static struct played play_steps_to(const char *steps, int status)
{
	AUTO_DIAG struct diag d = {0};
	AUTO_FREE char *yaml = NULL;
	struct played played = {0};

	cr_assert_gt(asprintf(&yaml,
			      "name: play\n"
			      "networks: {internet: {type: internet}, home: {subnet: "
			      "192.168.1.0/24}}\n"
			      "nodes:\n"
			      "  server: {interfaces: {internet: 9.9.9.9}}\n"
			      "  router: {interfaces: {internet: 1.2.3.4, home: 192.168.1.254}, "
			      "nat: symmetric}\n"
			      "  pc: {interfaces: {home: 192.168.1.1}}\n"
			      "steps:\n%s",
			      steps),
		     0);
	if (topo_load_text("play.yaml", yaml, strlen(yaml), &played.topo, &d) != 0) {
		diag_print(&d, stderr, false);
		cr_assert_fail("the steps must load");
	}
	cr_assert_eq(play(NULL, played.topo, NULL, &played.timeline, &d), status);
	cr_assert_eq(d.errors, status != 0, "a failure has its words");
	return played;
}

static struct played play_steps(const char *steps)
{
	return play_steps_to(steps, 0);
}

static const struct run *run_of(const struct played *played, size_t step, size_t index)
{
	const struct run *run = timeline_find(played->timeline, step, index);

	cr_assert_not_null(run);
	return run;
}

static size_t left_alive(void)
{
	size_t i, alive = 0;

	for (i = 0; i < inhabitant_count; i++)
		alive += !inhabitants[i].gone;
	return alive;
}

TestSuite(play, .init = begin);

Test(play, programs_of_one_step_run_at_once_and_the_step_waits_for_all)
{
	AUTO_PLAYED struct played played =
		play_steps("  - run:\n"
			   "      - {node: pc, command: [slow]}\n"
			   "      - {node: pc, command: [fails], as: second}\n"
			   "  - run: {node: pc, command: [quick]}\n");

	cr_expect_eq(run_of(&played, 0, 0)->end, RUN_EXITED);
	cr_expect_eq(run_of(&played, 0, 1)->status, 3);
	cr_expect_eq(played.timeline->steps[0].ended, 400 * MS, "at once, not one by one");
	cr_expect_geq(run_of(&played, 1, 0)->started, 400 * MS);
	cr_expect_str_eq(run_of(&played, 1, 0)->err, "words\n");
	cr_expect_str_eq(run_of(&played, 1, 0)->command, "quick");
}

Test(play, a_run_that_fails_does_not_end_the_run)
{
	AUTO_PLAYED struct played played =
		play_steps("  - run: {node: pc, command: [no-such-program]}\n"
			   "  - run: {node: pc, command: [crashes]}\n"
			   "  - run: {node: pc, command: [quick]}\n");

	cr_expect_eq(run_of(&played, 0, 0)->end, RUN_NOT_STARTED);
	cr_expect_not_null(strstr(run_of(&played, 0, 0)->problem, "there is no such program"));
	cr_expect_eq(run_of(&played, 1, 0)->end, RUN_SIGNALLED);
	cr_expect_eq(run_of(&played, 1, 0)->status, SIGSEGV);
	cr_expect_eq(run_of(&played, 2, 0)->end, RUN_EXITED);
}

Test(play, a_deadline_is_kept_and_each_program_has_its_own)
{
	AUTO_PLAYED struct played played =
		play_steps("  - run:\n"
			   "      - {node: pc, command: [endless], deadline: 0.1}\n"
			   "      - {node: pc, command: [slow], deadline: 2}\n");
	const struct run *endless = run_of(&played, 0, 0);

	cr_expect_eq(endless->end, RUN_DEADLINE);
	cr_expect_eq(endless->ended, 101 * MS);
	cr_expect_eq(endless->status, -SIGTERM);
	cr_expect_str_eq(endless->problem, "did not end within 0.1 s");
	cr_expect_not(endless->stubborn);
	cr_expect_eq(run_of(&played, 0, 1)->end, RUN_EXITED);
	cr_expect_null(run_of(&played, 0, 1)->problem);
}

Test(play, who_ignores_sigterm_after_its_deadline_is_killed)
{
	AUTO_PLAYED struct played played =
		play_steps("  - run: {node: pc, command: [stubborn], deadline: 0.1}\n");
	const struct run *run = run_of(&played, 0, 0);

	cr_expect_eq(run->end, RUN_DEADLINE);
	cr_expect_eq(run->status, -SIGKILL);
	cr_expect(run->stubborn);
	cr_expect_eq(left_alive(), 0);
}

Test(play, a_server_is_started_when_it_says_so)
{
	AUTO_PLAYED struct played played =
		play_steps("  - start: {node: server, agent: stun-server}\n"
			   "  - run: {node: pc, agent: detect}\n");
	const struct run *server = run_of(&played, 0, 0);

	cr_expect_eq(server->ready, 2 * MS);
	cr_expect_geq(run_of(&played, 1, 0)->started, 2 * MS);
	cr_expect_eq(server->end, RUN_STOPPED, "at the end of the run");
	cr_expect_eq(server->status, -SIGTERM);
	cr_expect_str_eq(json_string_value(json_object_get(run_of(&played, 1, 0)->result, "type")),
			 "symmetric");
}

Test(play, a_peer_is_started_when_it_is_connected_not_when_its_socket_is_open)
{
	AUTO_PLAYED struct played played =
		play_steps("  - start: {node: server, command: [endless]}\n"
			   "  - start: {node: pc, agent: punch, session: s, rendezvous: 9.9.9.9}\n"
			   "  - stop: server/endless\n"
			   "  - wait: pc/punch\n"
			   "    expect: {path: direct}\n");

	cr_expect_eq(run_of(&played, 1, 0)->ready, 20 * MS);
	cr_expect_eq(played.timeline->steps[2].started, 20 * MS);
	cr_expect_eq(run_of(&played, 0, 0)->end, RUN_STOPPED);
	cr_expect_eq(run_of(&played, 1, 0)->end, RUN_EXITED, "it ended by itself");
	cr_expect_eq(run_of(&played, 1, 0)->event_count, 3);
}

Test(play, a_command_is_ready_at_once_or_when_a_line_says_so)
{
	AUTO_PLAYED struct played played = play_steps(
		"  - start: {node: server, command: [endless]}\n"
		"  - start: {node: server, command: [tells], ready: \"listening on [0-9]+\"}\n");

	cr_expect_eq(run_of(&played, 0, 0)->ready, run_of(&played, 0, 0)->started);
	cr_expect_eq(run_of(&played, 1, 0)->ready, 7 * MS);
}

Test(play, a_server_that_ends_before_it_is_ready_ends_the_run)
{
	AUTO_PLAYED struct played played =
		play_steps("  - start: {node: server, agent: rendezvous}\n"
			   "  - run: {node: pc, command: [quick]}\n");
	const struct run *run = run_of(&played, 0, 0);

	cr_expect_eq(run->end, RUN_EXITED);
	cr_expect_str_eq(run->problem, "ended with status 2 before it was ready");
	cr_expect_eq(run->strange_lines, 2, "neither line was a JSON object");
	cr_expect_eq(run_of(&played, 1, 0)->end, RUN_NOT_REACHED);
	cr_expect_eq(played.timeline->steps[1].started, 0);
}

Test(play, a_start_that_is_never_ready_ends_the_run_at_its_deadline)
{
	AUTO_PLAYED struct played played = play_steps(
		"  - start: {node: server, command: [tells], ready: never, deadline: 0.5}\n"
		"  - run: {node: pc, command: [quick]}\n");

	cr_expect_eq(run_of(&played, 0, 0)->end, RUN_DEADLINE);
	cr_expect_str_eq(run_of(&played, 0, 0)->problem, "was not ready within 0.5 s");
	cr_expect_eq(run_of(&played, 1, 0)->end, RUN_NOT_REACHED);
}

Test(play, a_start_that_cannot_be_executed_ends_the_run)
{
	AUTO_PLAYED struct played played =
		play_steps("  - start: {node: server, command: [no-such-program]}\n"
			   "  - run: {node: pc, command: [quick]}\n");

	cr_expect_eq(run_of(&played, 0, 0)->end, RUN_NOT_STARTED);
	cr_expect_eq(run_of(&played, 1, 0)->end, RUN_NOT_REACHED);
}

Test(play, stop_asks_waits_two_seconds_and_kills)
{
	AUTO_PLAYED struct played played =
		play_steps("  - start: {node: server, command: [stubborn]}\n"
			   "  - start: {node: server, command: [endless]}\n"
			   "  - stop: server/stubborn\n"
			   "  - stop: server/endless\n"
			   "  - run: {node: pc, command: [quick]}\n");
	const struct run *stubborn = run_of(&played, 0, 0), *endless = run_of(&played, 1, 0);

	cr_expect_eq(stubborn->end, RUN_STOPPED);
	cr_expect(stubborn->stubborn);
	cr_expect_eq(stubborn->ended, 2001 * MS);
	cr_expect_eq(endless->end, RUN_STOPPED);
	cr_expect_not(endless->stubborn);
	cr_expect_eq(endless->ended, 2002 * MS);
	cr_expect_eq(run_of(&played, 4, 0)->end, RUN_EXITED, "the run goes on");
}

Test(play, a_shorter_deadline_shortens_the_grace)
{
	AUTO_PLAYED struct played played =
		play_steps("  - start: {node: server, command: [stubborn]}\n"
			   "  - stop: {program: server/stubborn, deadline: 0.5}\n");

	cr_expect_eq(run_of(&played, 0, 0)->end, RUN_STOPPED);
	cr_expect_eq(run_of(&played, 0, 0)->ended, 501 * MS);
}

Test(play, who_ended_before_it_was_stopped_was_not_stopped)
{
	AUTO_PLAYED struct played played =
		play_steps("  - start: {node: server, command: [quick]}\n"
			   "  - run: {node: pc, command: [slow]}\n"
			   "  - stop: server/quick\n");

	cr_expect_eq(run_of(&played, 0, 0)->end, RUN_EXITED);
	cr_expect_eq(run_of(&played, 0, 0)->ended, 5 * MS);
}

Test(play, what_happened_while_something_else_was_done_is_taken_in_before_stopping)
{
	/* quick ends while heavy is being executed, which takes no event in. */
	AUTO_PLAYED struct played stopped =
		play_steps("  - start: {node: server, command: [quick]}\n"
			   "  - start: {node: server, command: [heavy]}\n"
			   "  - stop: server/quick\n");
	AUTO_PLAYED struct played ended = {0};

	cr_expect_eq(run_of(&stopped, 0, 0)->end, RUN_EXITED);
	begin();
	ended = play_steps("  - start: {node: server, command: [quick]}\n"
			   "  - start: {node: server, command: [heavy]}\n");
	cr_expect_eq(run_of(&ended, 0, 0)->end, RUN_EXITED);
	cr_expect_eq(run_of(&ended, 1, 0)->end, RUN_STOPPED);
}

Test(play, wait_has_a_deadline_of_its_own)
{
	AUTO_PLAYED struct played played =
		play_steps("  - start: {node: server, command: [endless]}\n"
			   "  - wait: {program: server/endless, deadline: 0.3}\n");

	cr_expect_eq(run_of(&played, 0, 0)->end, RUN_DEADLINE);
	cr_expect_str_eq(run_of(&played, 0, 0)->problem, "did not end within 0.3 s");
}

Test(play, an_interrupt_keeps_what_was_seen_and_stops_everything)
{
	struct played played;

	interrupt_at(50);
	played = play_steps("  - start: {node: server, agent: stun-server}\n"
			    "  - run: {node: pc, command: [endless]}\n"
			    "  - run: {node: pc, command: [quick]}\n");
	cr_expect(played.timeline->interrupted);
	cr_expect_eq(run_of(&played, 0, 0)->ready, 2 * MS);
	cr_expect_eq(run_of(&played, 1, 0)->end, RUN_RUNNING);
	cr_expect_str_eq(run_of(&played, 1, 0)->err, "words\n");
	cr_expect_eq(run_of(&played, 2, 0)->end, RUN_NOT_REACHED);
	cr_expect_eq(left_alive(), 0);
	cr_expect_eq(played.timeline->router_count, 1, "the tables were still read");
	played_clear(&played);
}

Test(play, a_second_interrupt_waits_for_nobody)
{
	struct played played;

	interrupt_at(50);
	interrupt_at(60);
	played = play_steps("  - run: {node: pc, command: [stubborn]}\n");
	cr_expect_eq(run_of(&played, 0, 0)->end, RUN_RUNNING);
	cr_expect_leq(run_of(&played, 0, 0)->ended, 61 * MS);
	cr_expect_eq(left_alive(), 0);
	played_clear(&played);
}

Test(play, a_third_interrupt_finds_everybody_killed_already_and_waits)
{
	struct played played;

	interrupt_at(50);
	interrupt_at(60);
	interrupt_at(70);
	played = play_steps("  - run: {node: pc, command: [undead]}\n");
	cr_expect_eq(run_of(&played, 0, 0)->ended, 160 * MS);
	cr_expect_eq(left_alive(), 0);
	played_clear(&played);
}

Test(play, who_missed_its_deadline_did_so_whatever_the_user_does_then)
{
	struct played played;

	interrupt_at(200);
	played = play_steps("  - run: {node: pc, command: [stubborn], deadline: 0.1}\n");
	cr_expect_eq(run_of(&played, 0, 0)->end, RUN_DEADLINE);
	cr_expect(played.timeline->interrupted);
	played_clear(&played);
}

Test(play, a_process_that_survives_sigkill_is_the_labs_failure)
{
	struct played played = play_steps_to(
		"  - run: {node: pc, command: [immortal], deadline: 0.1}\n", -ETIMEDOUT);

	cr_expect_null(played.timeline);
	played_clear(&played);
}

Test(play, tables_are_read_where_a_path_is_expected_and_before_anything_is_stopped)
{
	AUTO_PLAYED struct played played =
		play_steps("  - start: {node: server, command: [endless]}\n"
			   "  - run: {node: pc, agent: punch, session: s, rendezvous: 9.9.9.9}\n"
			   "    expect: {path: direct}\n"
			   "  - run: {node: pc, command: [quick]}\n");

	cr_assert_eq(dumps, 2, "after the punching, and at the end");
	cr_expect_eq(dumped_at[0], 1031 * MS);
	cr_expect_eq(dumped_at[1], 1036 * MS);
	cr_assert_eq(played.timeline->snapshot_count, 1);
	cr_expect_eq(played.timeline->snapshots[0].step, 1);
	cr_expect_gt(run_of(&played, 0, 0)->ended, 36 * MS, "the server was alive until then");
	cr_expect_not_null(strstr(played.timeline->routers[0].problem, "no kernel here"),
			   "a table that cannot be read spoils nothing but itself");
}
