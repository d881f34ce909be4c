/* SPDX-License-Identifier: MIT */
/* Traversal without a server: what its ICMP messages are, and whom the two sides believe. */
#include <criterion/criterion.h>
#include <netinet/ip.h>
#include <string.h>

#include "agents/icmp/knock.h"
#include "agents/net/clock.h"
#include "support/fakenet.h"

static struct addr address(const char *text)
{
	struct addr addr;

	cr_assert(addr_parse(text, &addr));
	return addr;
}

/* As the raw socket of the receiver gives it: with the IP header of who sent it. */
static size_t with_header(const char *from, const void *icmp, size_t length, uint8_t *ret)
{
	struct addr source = address(from);
	struct iphdr header = {.version = 4,
			       .ihl = 5,
			       .ttl = 60,
			       .protocol = IPPROTO_ICMP,
			       .saddr = addr_to_ipv4(&source)};

	memcpy(ret, &header, sizeof(header));
	memcpy(ret + sizeof(header), icmp, length);
	return sizeof(header) + length;
}

static const uint8_t tag[ICMP_TAG_SIZE] = "sixteen bytes ..";

static size_t quote(uint8_t *ret)
{
	struct addr listener = address("1.2.3.4"), target = address("3.3.3.3");
	uint8_t icmp[ICMP_QUOTE_SIZE];

	icmp_write_quote(&listener, &target, tag, icmp);
	return with_header("5.6.7.8", icmp, sizeof(icmp), ret);
}

Test(packet, the_echo_request_is_the_one_of_rfc_792_with_everything_zero)
{
	static const uint8_t expected[] = {8, 0, 0xf7, 0xff, 0, 0, 0, 0};
	uint8_t echo[ICMP_ECHO_SIZE];

	icmp_write_echo(echo);
	cr_expect_arr_eq(echo, expected, sizeof(expected));
}

Test(packet, an_error_tells_who_sent_it_what_it_is_about_and_its_tag)
{
	uint8_t packet[256];
	size_t length = quote(packet);
	struct addr from = address("5.6.7.8"), target = address("3.3.3.3");
	struct icmp_error error;

	cr_assert(icmp_read_error(packet, length, &error));
	cr_expect(addr_equal(&error.from, &from));
	cr_expect(addr_equal(&error.target, &target));
	cr_assert(error.tagged);
	cr_expect_arr_eq(error.tag, tag, ICMP_TAG_SIZE);
}

Test(packet, one_that_is_cut_or_has_a_flipped_bit_is_none)
{
	uint8_t packet[256], broken[256];
	size_t length = quote(packet), i;
	struct icmp_error error;

	for (i = 0; i < length; i++)
		cr_expect_not(icmp_read_error(packet, i, &error), "cut at %zu", i);
	for (i = sizeof(struct iphdr); i < length; i++) {
		memcpy(broken, packet, length);
		broken[i] ^= 0x10;
		cr_expect_not(icmp_read_error(broken, length, &error),
			      "byte %zu is covered by the checksum", i);
	}
}

/* ---- two peers with nothing between them but a filter ---- */

struct world {
	struct fakenet net; /* for its clock and its randomness */
	struct knock listener, caller;
	bool deaf;    /* ICMP errors do not reach the listener */
	bool one_way; /* UDP reaches the listener only */
};

static const char listener_address[] = "1.2.3.4", caller_address[] = "5.6.7.8";

static struct knock_config config(struct world *world, const char *session)
{
	return (struct knock_config){
		.session = session,
		.target = address("3.3.3.3"),
		.port = 2222,
		.interval = 100 * MSEC,
		.timeout = SEC,
		.talk = {.messages = 3, .random = fake_random_source(&world->net)}};
}

static void begin(struct world *world, const char *listener_session, const char *caller_session)
{
	struct knock_config own;

	*world = (struct world){.net.seed = 7, .net.now = 1000 * SEC};
	own = config(world, listener_session);
	knock_start(&world->listener, &own, world->net.now);
	own = config(world, caller_session);
	own.peer = (struct endpoint){.addr = address(listener_address), .port = 2222};
	knock_start(&world->caller, &own, world->net.now);
}

static void deliver(struct world *world, bool to_listener, const struct datagram *datagram)
{
	struct knock *receiver = to_listener ? &world->listener : &world->caller;
	struct endpoint from = {.addr = address(to_listener ? caller_address : listener_address),
				.port = 2222};
	uint8_t packet[DATAGRAM_MAX + 20];

	if (datagram->socket == KNOCK_ICMP) {
		if (to_listener && !world->deaf)
			knock_receive(receiver, KNOCK_ICMP, &from, packet,
				      with_header(caller_address, datagram->bytes, datagram->length,
						  packet),
				      world->net.now);
		return;
	}
	/* The listener's NAT is shut for whom it has not sent to: all of the blind dial. */
	if (datagram->socket == KNOCK_BLIND ||
	    (to_listener && world->listener.path.candidates.count == 0) ||
	    (!to_listener && world->one_way))
		return;
	knock_receive(receiver, KNOCK_UDP, &from, datagram->bytes, datagram->length,
		      world->net.now);
}

static void play(struct world *world)
{
	struct datagram datagram;
	unsigned int turns = 0;

	while (!knock_over(&world->listener) || !knock_over(&world->caller)) {
		uint64_t a = knock_due(&world->listener), b = knock_due(&world->caller);

		cr_assert_lt(turns++, 10000, "it does not come to an end");
		if (knock_send(&world->listener, world->net.now, &datagram))
			deliver(world, false, &datagram);
		else if (knock_send(&world->caller, world->net.now, &datagram))
			deliver(world, true, &datagram);
		else if ((a < b ? a : b) != UINT64_MAX && (a < b ? a : b) > world->net.now)
			world->net.now = a < b ? a : b;
	}
}

Test(knock, an_error_about_the_ping_brings_the_two_together)
{
	struct world world;

	begin(&world, "demo", "demo");
	play(&world);
	cr_expect_eq(world.listener.phase, KNOCK_DONE, "%s", world.listener.reason);
	cr_expect_eq(world.caller.phase, KNOCK_DONE, "%s", world.caller.reason);
	cr_expect_eq(world.listener.path.talk.received, 3);
	cr_expect_eq(world.caller.path.talk.received, 3);
	cr_expect_not(world.listener.blind);
}

/* As whoever called before us may have left the stack. */
static __attribute__((noinline)) void soil_the_stack(void)
{
	volatile uint8_t bytes[8192];
	size_t i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = 0xaa;
}

/* Nothing was seen of the other, and no path has died: to say else would send it elsewhere. */
Test(knock, begins_with_nothing_to_say_about_earlier_rounds)
{
	struct fakenet net = {.seed = 7};
	const struct knock_config own = {
		.session = "demo", .port = 2222, .talk = {.random = fake_random_source(&net)}};
	struct knock knock;

	soil_the_stack();
	knock_start(&knock, &own, SEC);
	cr_expect_eq(knock.path.seal.round, 0, "round %u", knock.path.seal.round);
	cr_expect_eq(knock.path.seal.sight, 0, "sight %u", knock.path.seal.sight);
}

Test(knock, who_does_not_know_the_session_is_not_answered)
{
	struct world world;

	begin(&world, "demo", "guess");
	play(&world);
	cr_expect_eq(world.listener.phase, KNOCK_FAILED);
	cr_expect_eq(world.listener.heard, 0);
	cr_expect_eq(world.listener.path.candidates.count, 0, "a stranger became a candidate");
	cr_expect_eq(world.caller.phase, KNOCK_FAILED);
}

Test(knock, an_error_about_another_address_is_passed_over)
{
	struct world world;
	struct addr other = address("4.4.4.4"), listener = address(listener_address);
	uint8_t icmp[ICMP_QUOTE_SIZE], packet[256];
	struct endpoint from = {0};

	begin(&world, "demo", "demo");
	icmp_write_quote(&listener, &other, world.listener.tag, icmp);
	knock_receive(&world.listener, KNOCK_ICMP, &from, packet,
		      with_header(caller_address, icmp, sizeof(icmp), packet), world.net.now);
	cr_expect_eq(world.listener.heard, 0);
}

Test(knock, each_failure_says_what_was_seen)
{
	struct world world;

	begin(&world, "demo", "demo");
	world.deaf = true;
	play(&world);
	cr_expect(strstr(world.listener.reason, "no ICMP error of a caller's arrived for 10 pings"),
		  "%s", world.listener.reason);
	cr_expect(strstr(world.caller.reason, "nothing came from 1.2.3.4:2222"), "%s",
		  world.caller.reason);
	begin(&world, "demo", "demo");
	world.one_way = true;
	play(&world);
	cr_expect(strstr(world.listener.reason, "only one way"), "%s", world.listener.reason);
	cr_expect_eq(world.listener.phase, KNOCK_FAILED);
	cr_expect_eq(world.caller.phase, KNOCK_FAILED);
}
