/* SPDX-License-Identifier: MIT */
/* What a good file means: every value of the model. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>

#include "base/cleanup.h"
#include "support/topo.h"

#define PICTURE                                                                              \
	"name: lab\n"                                                                        \
	"networks: {internet: {type: internet}, home: {subnet: 192.168.1.0/24}}\n"           \
	"nodes:\n"                                                                           \
	"  server: {interfaces: {internet: [9.9.9.9, 9.9.9.10]}}\n"                          \
	"  router: {interfaces: {internet: 1.2.3.4, home: 192.168.1.254}, nat: full-cone}\n" \
	"  pc: {interfaces: {home: 192.168.1.1}}\n"

static const char *option(const struct program *program, const char *name)
{
	size_t i;

	for (i = 0; i < program->option_count; i++)
		if (strcmp(program->options[i].name, name) == 0)
			return program->options[i].value ? program->options[i].value : "(flag)";
	return "(not given)";
}

static void expect_addr(const struct addr *addr, const char *text)
{
	char own[ADDR_TEXT_MAX];

	cr_expect_str_eq(addr_format(addr, own), text);
}

Test(load, double_nat_is_resolved_in_every_value)
{
	AUTO_TOPO struct topo *topo = NULL;
	AUTO_DIAG struct diag d = {0};
	const struct node *router, *pc;
	const struct step *step;
	char text[PREFIX_TEXT_MAX];

	cr_assert_eq(topo_load(TEST_SOURCE_DIR "/topologies/double-nat.yaml", &topo, &d), 0);
	cr_expect_eq(d.count, 0);
	cr_expect_str_eq(topo->name, "double-nat");
	cr_expect_str_eq(topo->description,
			 "Can two homes behind port restricted NATs reach each other directly?");
	cr_assert_eq(topo->network_count, 3);
	cr_expect_eq(topo->internet, 0);
	cr_expect_eq(topo->networks[0].type, NETWORK_INTERNET);
	cr_expect_eq(topo->networks[1].type, NETWORK_LAN);
	cr_expect_str_eq(topo->networks[1].name, "home1");
	cr_expect_str_eq(prefix_format(&topo->networks[1].subnet, text), "192.168.1.0/24");
	cr_expect_eq(topo->networks[1].place.line, 13);
	cr_expect_eq(topo->networks[1].place.column, 3);

	cr_assert_eq(topo->node_count, 5);
	cr_expect_eq(topo->nodes[0].interfaces[0].address_count, 2);
	expect_addr(&topo->nodes[0].interfaces[0].addresses[1], "9.9.9.10");
	cr_expect_eq(topo->nodes[0].uplink, 0);
	cr_expect_eq(topo->nodes[0].gateway, TOPO_NONE);
	cr_expect_not(topo->nodes[0].router);
	router = &topo->nodes[topo_find_node(topo, "router1")];
	cr_expect(router->router && router->has_nat);
	cr_expect_str_eq(router->nat.name, "port-restricted-cone");
	cr_expect_eq(router->nat.mapping, ENDPOINT_INDEPENDENT);
	cr_expect_eq(router->nat.filtering, ADDRESS_AND_PORT_DEPENDENT);
	cr_expect_eq(router->interfaces[router->uplink].network, topo->internet);
	pc = &topo->nodes[topo_find_node(topo, "pc2")];
	cr_expect_not(pc->router);
	cr_expect_eq(pc->uplink, 0);
	cr_expect_eq(pc->gateway, topo_find_node(topo, "router2"));
	expect_addr(&pc->gateway_address, "192.168.2.254");

	cr_assert_eq(topo->step_count, 5);
	step = &topo->steps[0];
	cr_expect_eq(step->kind, STEP_START);
	cr_assert_eq(step->program_count, 1);
	cr_expect_str_eq(step->programs[0].name, "server/stun-server");
	cr_expect_str_eq(option(&step->programs[0], "primary"), "9.9.9.9");
	cr_expect_str_eq(option(&step->programs[0], "alternate"), "9.9.9.10");
	step = &topo->steps[2];
	cr_expect_eq(step->kind, STEP_RUN);
	cr_assert_eq(step->program_count, 2);
	cr_expect_str_eq(option(&step->programs[1], "server"), "9.9.9.9");
	cr_assert_eq(step->programs[1].expectation_count, 3);
	cr_expect_eq(step->programs[1].expectations[1].kind, EXPECT_FIELD);
	cr_expect_str_eq(step->programs[1].expectations[1].field, "mapping");
	cr_expect_str_eq(step->programs[1].expectations[1].text, "endpoint-independent");
	step = &topo->steps[3];
	cr_expect_str_eq(option(&step->programs[0], "rendezvous"), "9.9.9.9");
	cr_expect_str_eq(option(&step->programs[1], "port"), "8888");
	cr_expect_eq(step->programs[0].deadline_ms, TOPO_DEADLINE_DEFAULT_MS);
	step = &topo->steps[4];
	cr_expect_null(step->programs[0].agent);
	cr_expect_str_eq(step->programs[0].argv[0], "ping");
	cr_expect_str_eq(step->programs[0].argv[3], "server");
	cr_expect_null(step->programs[0].argv[4]);
	cr_expect_str_eq(step->programs[0].name, "pc1/ping");
	cr_expect_eq(step->programs[0].expectations[0].kind, EXPECT_EXIT);
	cr_expect_eq(step->programs[0].expectations[0].number, 0);
}

static int is_topology(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && strcmp(dot, ".yaml") == 0;
}

Test(load, every_topology_of_ours_is_good_without_a_warning)
{
	struct dirent **entries;
	int count = scandir(TEST_SOURCE_DIR "/topologies", &entries, is_topology, alphasort), i;

	cr_assert_gt(count, 0);
	for (i = 0; i < count; i++) {
		AUTO_TOPO struct topo *topo = NULL;
		AUTO_DIAG struct diag d = {0};
		AUTO_FREE char *path = NULL;
		AUTO_FREE char *words = NULL;

		cr_assert(asprintf(&path, TEST_SOURCE_DIR "/topologies/%s", entries[i]->d_name) >
			  0);
		topo_load(path, &topo, &d);
		words = diag_text(&d);
		cr_expect(topo && d.count == 0, "%s", words);
		if (topo)
			cr_expect_not_null(topo->description, "%s says nothing", path);
		free(entries[i]);
	}
	free(entries);
}

Test(load, the_description_wins_over_the_comment_and_licences_describe_nothing)
{
	AUTO_TOPO struct topo *given = topo_of("# Why?\n" PICTURE "description: Because\n");
	AUTO_TOPO struct topo *comment =
		topo_of("# SPDX-License-Identifier: MIT\n#\n#  Why?  \r\n# More.\n" PICTURE);
	AUTO_TOPO struct topo *none = topo_of(PICTURE "# at the end\n");

	cr_expect_str_eq(given->description, "Because");
	cr_expect_str_eq(comment->description, "Why?");
	cr_expect_null(none->description);
}

Test(load, a_byte_order_mark_and_windows_line_ends_are_read_over)
{
	AUTO_TOPO struct topo *topo =
		topo_of("\xef\xbb\xbfname: lab\r\nnetworks: {internet: {type: internet}}\r\n"
			"nodes:\r\n  pc: {interfaces: {internet: 1.2.3.4}}\r\n");

	cr_expect_str_eq(topo->name, "lab");
	cr_expect_eq(topo->nodes[0].place.line, 4);
}

Test(load, columns_count_characters_not_bytes)
{
	AUTO_TOPO struct topo *topo =
		topo_of("{description: \"caf\xc3\xa9\", name: lab, networks: {internet: {type: "
			"internet}}, nodes: {pc: {interfaces: {internet: 1.2.3.4}}}}");

	cr_expect_eq(topo->nodes[0].place.column, 82);
}

Test(load, an_alias_stands_for_what_its_anchor_marked)
{
	AUTO_TOPO struct topo *topo = topo_of(
		PICTURE "steps:\n"
			"  - run: {node: pc, command: [ping, server], expect: &good {exit: 0}}\n"
			"  - run: {node: pc, command: [ping, router]}\n"
			"    expect: *good\n");

	cr_assert_eq(topo->steps[1].programs[0].expectation_count, 1);
	cr_expect_eq(topo->steps[1].programs[0].expectations[0].kind, EXPECT_EXIT);
}

Test(nat, a_map_without_a_base_starts_from_the_recommendation)
{
	AUTO_TOPO struct topo *topo = topo_of(
		"name: lab\n"
		"networks: {internet: {type: internet}, home: {subnet: 192.168.1.0/24}}\n"
		"nodes:\n"
		"  router: {interfaces: {internet: 1.2.3.4, home: 192.168.1.254}, nat: {ports: "
		"sequential}}\n");
	const struct nat *nat = &topo->nodes[0].nat;

	cr_expect_str_eq(nat->name, "custom");
	cr_expect_eq(nat->kind, NAT_TRANSLATE);
	cr_expect_eq(nat->mapping, ENDPOINT_INDEPENDENT);
	cr_expect_eq(nat->filtering, ADDRESS_DEPENDENT);
	cr_expect_eq(nat->ports.allocation, PORTS_SEQUENTIAL);
}

Test(nat, axes_override_their_base_wherever_it_stands)
{
	AUTO_TOPO struct topo *topo = topo_of(
		"name: lab\n"
		"networks: {internet: {type: internet}, home: {subnet: 192.168.1.0/24}}\n"
		"nodes:\n"
		"  router: {interfaces: {internet: 1.2.3.4, home: 192.168.1.254}, nat: {filtering: "
		"endpoint-independent, udp: blocked, mapping: address-dependent, base: "
		"symmetric}}\n");
	const struct nat *nat = &topo->nodes[0].nat;

	cr_expect_str_eq(nat->name, "symmetric");
	cr_expect_eq(nat->mapping, ADDRESS_DEPENDENT);
	cr_expect_eq(nat->filtering, ENDPOINT_INDEPENDENT);
	cr_expect_eq(nat->ports.allocation, PORTS_RANDOM);
	cr_expect(nat->udp_blocked);
}

Test(nat, every_named_nat_can_be_named)
{
	size_t i;

	for (i = 0; i < nat_names_count; i++) {
		AUTO_TOPO struct topo *topo = NULL;
		AUTO_FREE char *text = NULL;

		cr_assert(asprintf(&text,
				   "name: lab\n"
				   "networks: {internet: {type: internet}, home: {subnet: "
				   "193.0.2.0/24}}\n"
				   "nodes:\n"
				   "  router: {interfaces: {internet: 1.2.3.4, home: 193.0.2.254}, "
				   "nat: %s}\n",
				   nat_names[i].nat.name) > 0);
		topo = topo_of(text);
		cr_expect_str_eq(topo->nodes[0].nat.name, nat_names[i].nat.name);
	}
}

Test(steps, a_string_is_for_the_shell_and_any_scalar_is_an_argument)
{
	AUTO_TOPO struct topo *topo = topo_of(
		PICTURE
		"steps:\n"
		"  - run: {node: pc, command: \"echo $HOME\"}\n"
		"  - run: {node: pc, command: [/usr/bin/printf, 1.50, true, \"\", 0x10]}\n");
	char **shell = topo->steps[0].programs[0].argv;
	char **words = topo->steps[1].programs[0].argv;

	cr_expect_str_eq(shell[0], "/bin/sh");
	cr_expect_str_eq(shell[1], "-c");
	cr_expect_str_eq(shell[2], "echo $HOME");
	cr_expect_null(shell[3]);
	cr_expect_str_eq(topo->steps[0].programs[0].name, "pc/sh");
	cr_expect_str_eq(words[1], "1.50");
	cr_expect_str_eq(words[2], "true");
	cr_expect_str_eq(words[3], "");
	cr_expect_str_eq(words[4], "0x10");
	cr_expect_str_eq(topo->steps[1].programs[0].name, "pc/printf");
}

Test(steps, a_program_s_own_deadline_wins_over_its_step_s)
{
	AUTO_TOPO struct topo *topo =
		topo_of(PICTURE "steps:\n"
				"  - run:\n"
				"      - {node: pc, command: [a], deadline: 0.25}\n"
				"      - {node: pc, command: [b]}\n"
				"    deadline: 3600\n"
				"  - run: {node: pc, command: [c]}\n");

	cr_expect_eq(topo->steps[0].programs[0].deadline_ms, 250);
	cr_expect_eq(topo->steps[0].programs[1].deadline_ms, TOPO_DEADLINE_MAX_MS);
	cr_expect_eq(topo->steps[1].programs[0].deadline_ms, TOPO_DEADLINE_DEFAULT_MS);
}

Test(steps, stop_and_wait_find_their_program)
{
	AUTO_TOPO struct topo *topo =
		topo_of(PICTURE "steps:\n"
				"  - start:\n"
				"      - {node: pc, command: [a]}\n"
				"      - {node: pc, command: [b], as: second}\n"
				"  - stop: {program: second, deadline: 2.5}\n"
				"  - wait: pc/a\n"
				"    expect: {exit: 3, stdout: \"^x+$\"}\n");
	const struct step *stop = &topo->steps[1], *wait = &topo->steps[2];

	cr_expect_eq(stop->kind, STEP_STOP);
	cr_expect_eq(stop->target_step, 0);
	cr_expect_eq(stop->target_program, 1);
	cr_expect_eq(stop->deadline_ms, 2500);
	cr_expect_eq(wait->kind, STEP_WAIT);
	cr_expect_eq(wait->target_program, 0);
	cr_assert_eq(wait->expectation_count, 2);
	cr_expect_eq(wait->expectations[0].number, 3);
	cr_expect_eq(wait->expectations[1].kind, EXPECT_STDOUT);
	cr_expect_str_eq(wait->expectations[1].text, "^x+$");
}

Test(steps, a_started_command_says_when_it_is_ready)
{
	AUTO_TOPO struct topo *topo = topo_of(
		PICTURE
		"steps:\n"
		"  - start: {node: server, command: [iperf3, -s], ready: Server listening}\n");

	cr_expect_str_eq(topo->steps[0].programs[0].ready, "Server listening");
}

Test(options, flags_stand_alone_and_false_ones_not_at_all)
{
	AUTO_TOPO struct topo *topo = topo_of(
		PICTURE "steps:\n"
			"  - run: {node: pc, agent: detect, server: server:3479, binding: true}\n"
			"  - run: {node: pc, agent: detect, server: 9.9.9.9, binding: false}\n");

	cr_expect_str_eq(option(&topo->steps[0].programs[0], "binding"), "(flag)");
	cr_expect_str_eq(option(&topo->steps[0].programs[0], "server"), "server:3479");
	cr_expect_str_eq(option(&topo->steps[1].programs[0], "binding"), "(not given)");
}

Test(options, the_newest_server_that_still_runs_is_filled_in_with_its_port)
{
	AUTO_TOPO struct topo *topo = topo_of(
		PICTURE "steps:\n"
			"  - start: {node: server, agent: stun-server, port: 5000, as: old}\n"
			"  - start: {node: router, agent: stun-server, as: new}\n"
			"  - run: {node: pc, agent: detect}\n"
			"  - stop: new\n"
			"  - run: {node: pc, agent: detect}\n");

	cr_expect_str_eq(option(&topo->steps[1].programs[0], "primary"), "1.2.3.4");
	cr_expect_str_eq(option(&topo->steps[1].programs[0], "alternate"), "(not given)");
	cr_expect_str_eq(option(&topo->steps[2].programs[0], "server"), "1.2.3.4");
	cr_expect_str_eq(option(&topo->steps[4].programs[0], "server"), "9.9.9.9:5000");
}

Test(options, where_the_file_puts_a_server_is_where_its_clients_go)
{
	AUTO_TOPO struct topo *topo = topo_of(
		PICTURE "steps:\n"
			"  - start: {node: server, agent: rendezvous, listen: 9.9.9.10, port: 99}\n"
			"  - run: {node: pc, agent: punch, session: a}\n"
			"  - start: {node: server, agent: rendezvous, listen: 0.0.0.0, as: any}\n"
			"  - run: {node: pc, agent: punch, session: a}\n");

	cr_expect_str_eq(option(&topo->steps[1].programs[0], "rendezvous"), "9.9.9.10:99");
	cr_expect_str_eq(option(&topo->steps[3].programs[0], "rendezvous"), "9.9.9.9");
}

Test(expect, values_keep_the_type_they_are_written_in)
{
	AUTO_TOPO struct topo *topo = topo_of(
		PICTURE
		"steps:\n"
		"  - run: {node: pc, agent: detect, server: server}\n"
		"    expect: {nat: false, probes: 1.2e1, lost: 0x10, type: \"true\", ports: '12', "
		"mapped: 1.2.3.4}\n");
	const struct expectation *e = topo->steps[0].programs[0].expectations;

	cr_assert_eq(topo->steps[0].programs[0].expectation_count, 6);
	cr_expect(e[0].type == EXPECT_BOOLEAN && !e[0].flag);
	cr_expect(e[1].type == EXPECT_NUMBER && e[1].number == 12);
	cr_expect(e[2].type == EXPECT_NUMBER && e[2].number == 16);
	cr_expect(e[3].type == EXPECT_TEXT && strcmp(e[3].text, "true") == 0);
	cr_expect(e[4].type == EXPECT_TEXT && strcmp(e[4].text, "12") == 0);
	cr_expect(e[5].type == EXPECT_TEXT && strcmp(e[5].text, "1.2.3.4") == 0);
}

Test(expect, the_step_s_expectations_are_added_to_the_program_s_own)
{
	AUTO_TOPO struct topo *topo =
		topo_of(PICTURE "steps:\n"
				"  - run: {node: pc, command: [false], expect: fails}\n"
				"    expect: {exit: 1}\n");
	const struct program *program = &topo->steps[0].programs[0];

	cr_assert_eq(program->expectation_count, 2);
	cr_expect(program->expectations[0].kind == EXPECT_FAILS && program->expectations[0].flag);
	cr_expect_eq(program->expectations[1].kind, EXPECT_EXIT);
}

Test(expect, a_dotted_field_is_judged_by_its_first_part)
{
	AUTO_TOPO struct topo *topo = topo_of(
		PICTURE
		"steps:\n"
		"  - run: {node: pc, agent: detect, server: server, expect: {mapped.port: 1}}\n");

	cr_expect_str_eq(topo->steps[0].programs[0].expectations[0].field, "mapped.port");
}

Test(load, a_server_that_is_run_is_only_a_doubt)
{
	AUTO_FREE char *words =
		mistakes_of(PICTURE "steps:\n  - run: {node: server, agent: stun-server}\n");

	cr_expect_str_eq(words,
			 "test.yaml:8:32: warning: \"stun-server\" runs until it is stopped\n"
			 "     8 |   - run: {node: server, agent: stun-server}\n"
			 "       |                                ^~~~~~~~~~~\n"
			 "       = help: \"start\" goes on when it is ready, \"run\" waits for "
			 "its end\n");
}

Test(load, an_agent_is_a_server_in_some_roles_only)
{
	AUTO_FREE char *serving = mistakes_of(
		PICTURE
		"steps:\n  - run: {node: server, agent: nat-check, role: assist, server: pc}\n");
	AUTO_TOPO struct topo *topo = topo_of(
		PICTURE "steps:\n"
			"  - start: {node: server, agent: nat-check, role: assist, server: pc}\n"
			"  - run: {node: pc, agent: nat-check, role: existence, server: server}\n");

	cr_expect(strstr(serving, "warning: \"nat-check\" runs until it is stopped"), "%s",
		  serving);
	cr_expect(program_serves(&topo->steps[0].programs[0]));
	cr_expect_not(program_serves(&topo->steps[1].programs[0]));
}

Test(load, nobody_listening_to_the_mistakes_changes_nothing)
{
	struct topo *topo = NULL;

	cr_expect_eq(topo_load_text("x", "name: [", 7, &topo, NULL), -EINVAL);
	cr_expect_null(topo);
	cr_assert_eq(topo_load_text("x", PICTURE, strlen(PICTURE), &topo, NULL), 0);
	topo_free(topo);
}

Test(load, what_was_in_the_diag_before_stays_and_spoils_nothing)
{
	AUTO_TOPO struct topo *topo = NULL;
	AUTO_DIAG struct diag d = {0};

	diag_error(&d, EINVAL, "an earlier file's");
	cr_expect_eq(topo_load_text("x", PICTURE, strlen(PICTURE), &topo, &d), 0);
	cr_expect_eq(d.count, 1);
}

Test(load, a_file_that_cannot_be_read_says_why)
{
	struct topo *topo = NULL;
	AUTO_DIAG struct diag d = {0};

	cr_expect_eq(topo_load("/nonexistent/x.yaml", &topo, &d), -ENOENT);
	cr_expect_eq(topo_load("/", &topo, &d), -EISDIR);
	cr_assert_eq(d.count, 2);
	cr_expect_str_eq(d.entries[0].message,
			 "cannot open /nonexistent/x.yaml: No such file or directory");
	cr_expect_str_eq(d.entries[1].message, "cannot read /: Is a directory");
}
