/* SPDX-License-Identifier: MIT */
/* The mapping tests over TCP: what the answers amount to, and what is no answer. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "agents/detect/tcp_mapping.h"
#include "agents/stun/server.h"
#include "support/fakestun.h"

struct bench {
	struct fakenet net; /* its dice */
	struct fake_stun stun;
	struct tcp_mapping mapping;
	struct endpoint local;
};

static void begin(struct bench *bench)
{
	const struct notes silent = {0};
	struct random_source random = fake_random_source(&bench->net);

	memset(bench, 0, sizeof(*bench));
	bench->net.seed = 1;
	bench->local = endpoint("192.168.1.1:5000");
	fake_stun_make(&bench->stun);
	tcp_mapping_start(&bench->mapping, &bench->stun.server.endpoints[0][0], &bench->local,
			  &random, &silent);
}

/* The server answers one who comes from @seen over the connection of @test. */
static void answer(struct bench *bench, size_t test, const char *seen)
{
	const struct endpoint *to = &bench->mapping.tests[test].to;
	struct endpoint from = endpoint(seen);
	struct stun_message message;
	struct stun_reply reply;
	uint8_t request[64], bytes[512];
	size_t length = tcp_mapping_connected(&bench->mapping, test, request, sizeof(request));
	struct stun_socket at = {
		.ip = to->addr.bytes[3] == 10, .port = to->port == 3479, .stream = true};

	reply = stun_server_answer(&bench->stun.server, at, &from, request, length, bytes,
				   sizeof(bytes));
	cr_assert(stun_parse(bytes, reply.length, &message));
	tcp_mapping_receive(&bench->mapping, test, &message);
}

static enum behaviour judge(const char *primary, const char *address, const char *both)
{
	struct endpoint to;
	struct bench bench;

	begin(&bench);
	cr_expect_eq(tcp_mapping_dial(&bench.mapping, &to), TCP_PRIMARY);
	cr_expect_eq(tcp_mapping_dial(&bench.mapping, &to), TCP_COUNT, "the others come later");
	answer(&bench, TCP_PRIMARY, primary);
	cr_expect_not(tcp_mapping_over(&bench.mapping));
	cr_expect_eq(tcp_mapping_dial(&bench.mapping, &to), TCP_ADDRESS);
	cr_expect_eq(to.port, 3478);
	cr_expect_eq(tcp_mapping_dial(&bench.mapping, &to), TCP_BOTH);
	cr_expect_eq(to.port, 3479);
	answer(&bench, TCP_ADDRESS, address);
	answer(&bench, TCP_BOTH, both);
	cr_expect(tcp_mapping_over(&bench.mapping));
	return tcp_mapping_verdict(&bench.mapping);
}

Test(tcp_mapping, is_judged_as_that_of_udp)
{
	cr_expect_eq(judge("1.2.3.4:1", "1.2.3.4:1", "1.2.3.4:1"), BEHAVIOUR_ENDPOINT_INDEPENDENT);
	cr_expect_eq(judge("1.2.3.4:1", "1.2.3.4:2", "1.2.3.4:2"), BEHAVIOUR_ADDRESS_DEPENDENT);
	cr_expect_eq(judge("1.2.3.4:1", "1.2.3.4:2", "1.2.3.4:3"),
		     BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT);
}

Test(tcp_mapping, is_unknown_with_the_reason_where_a_connection_fails)
{
	struct endpoint to;
	struct bench bench;

	begin(&bench);
	cr_assert_eq(tcp_mapping_dial(&bench.mapping, &to), TCP_PRIMARY);
	tcp_mapping_fail(&bench.mapping, TCP_PRIMARY, ECONNREFUSED);
	cr_expect(tcp_mapping_over(&bench.mapping));
	cr_expect_eq(tcp_mapping_verdict(&bench.mapping), BEHAVIOUR_UNKNOWN);
	cr_expect(strstr(bench.mapping.notes.reason, "Connection refused"));
	cr_expect_not(tcp_mapping_mapped(&bench.mapping, &to));
}

Test(tcp_mapping, needs_a_server_with_two_addresses)
{
	struct endpoint to;
	struct bench bench;

	begin(&bench);
	bench.stun.server.alternate = false;
	cr_assert_eq(tcp_mapping_dial(&bench.mapping, &to), TCP_PRIMARY);
	answer(&bench, TCP_PRIMARY, "1.2.3.4:1");
	cr_expect(tcp_mapping_over(&bench.mapping));
	cr_expect_eq(tcp_mapping_verdict(&bench.mapping), BEHAVIOUR_UNKNOWN);
	cr_expect(strstr(bench.mapping.notes.reason, "no second address"));
}
