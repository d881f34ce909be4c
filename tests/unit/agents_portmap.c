/* SPDX-License-Identifier: MIT */
/* Asking a gateway for a port: the bytes of NAT-PMP and PCP, and when what is said. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "agents/net/clock.h"
#include "agents/portmap/client.h"
#include "agents/portmap/ssdp.h"

static const uint8_t nonce[PORTMAP_NONCE_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

static struct addr addr(const char *text)
{
	struct addr ret;

	cr_assert(addr_parse(text, &ret));
	return ret;
}

static void no_jitter(void *context, void *bytes, size_t length)
{
	(void)context;
	memset(bytes, 128, length); /* in the middle of what jitter may be */
}

/* A gateway that remembers what it was asked last, and a client that asks it. */
struct stage {
	struct portmap portmap;
	struct endpoint gateway;
	uint8_t asked[PORTMAP_MESSAGE_MAX];
	size_t asked_length;
	uint32_t born; /* the gateway's epoch is the time minus this */
};

static struct stage stage_new(enum portmap_protocol protocol, const struct portmap_wish *wish,
			      bool keep)
{
	struct stage stage = {.gateway = {addr("192.168.1.254"), PORTMAP_SERVER_PORT}};
	struct portmap_config config = {
		.protocol = protocol,
		.gateway = stage.gateway,
		.client = addr("192.168.1.1"),
		.wish = *wish,
		.keep = keep,
		.timeout = 5 * SEC,
		.has_nonce = true,
		.random = {no_jitter, NULL},
	};

	memcpy(config.nonce, nonce, sizeof(nonce));
	portmap_start(&stage.portmap, &config, 1000 * SEC);
	return stage;
}

static const struct portmap_wish udp = {.internal = 3478, .external = 5000, .lifetime = 7200};

/* What the client says at @now; false for nothing. */
static bool says(struct stage *stage, uint64_t now)
{
	struct datagram datagram;

	if (!portmap_send(&stage->portmap, now, &datagram))
		return false;
	cr_expect(endpoint_equal(&datagram.to, &stage->gateway), "it asks somebody else");
	memcpy(stage->asked, datagram.bytes, datagram.length);
	stage->asked_length = datagram.length;
	return true;
}

static void put32(uint8_t *to, uint32_t value)
{
	to[0] = (uint8_t)(value >> 24);
	to[1] = (uint8_t)(value >> 16);
	to[2] = (uint8_t)(value >> 8);
	to[3] = (uint8_t)value;
}

/* The answer to what was asked last, as RFC 6886 sections 3.2 and 3.3 or RFC 6887 has it. */
static size_t answer(const struct stage *stage, uint8_t result, uint16_t port, uint32_t lifetime,
		     uint64_t now, uint8_t *to)
{
	const uint32_t epoch = (uint32_t)(now / SEC) - stage->born;
	static const uint8_t external[4] = {1, 2, 3, 4};

	memset(to, 0, 60);
	memcpy(to, stage->asked, stage->asked_length);
	to[1] |= 0x80;
	if (to[0] == 2) {
		to[2] = 0;
		to[3] = result;
		put32(to + 4, lifetime);
		put32(to + 8, epoch);
		memset(to + 12, 0, 12);
		to[42] = (uint8_t)(port >> 8);
		to[43] = (uint8_t)port;
		memcpy(to + 56, external, 4);
		return 60;
	}
	to[3] = result;
	put32(to + 4, epoch);
	if (stage->asked_length == 2) {
		memcpy(to + 8, external, 4);
		return 12;
	}
	memcpy(to + 8, stage->asked + 4, 2);
	to[10] = (uint8_t)(port >> 8);
	to[11] = (uint8_t)port;
	put32(to + 12, lifetime);
	return 16;
}

static void answers(struct stage *stage, uint8_t result, uint16_t port, uint32_t lifetime,
		    uint64_t now)
{
	uint8_t bytes[64];
	size_t length = answer(stage, result, port, lifetime, now, bytes);

	portmap_receive(&stage->portmap, &stage->gateway, bytes, length, now);
}

/* ---- bytes ---- */

Test(wire, nat_pmp_asks_as_rfc6886_section_3_3_draws_it)
{
	static const uint8_t expected[] = {0, 1, 0, 0, 0x0d, 0x96, 0x13, 0x88, 0, 0, 0x1c, 0x20};
	struct portmap_wish wish = udp;
	uint8_t bytes[PORTMAP_REQUEST_MAX];

	cr_assert_eq(portmap_encode_wish(PORTMAP_NAT_PMP, &wish, NULL, NULL, bytes), 12);
	cr_expect_arr_eq(bytes, expected, sizeof(expected));
	wish.tcp = true;
	wish.lifetime = 0;
	portmap_encode_wish(PORTMAP_NAT_PMP, &wish, NULL, NULL, bytes);
	cr_expect_eq(bytes[1], 2, "TCP is operation 2");
	cr_expect_eq(bytes[6] | bytes[7], 0, "a deletion names no external port (section 3.4)");
	cr_assert_eq(portmap_encode_address(bytes), 2);
	cr_expect(bytes[0] == 0 && bytes[1] == 0);
}

Test(wire, pcp_asks_as_rfc6887_sections_7_1_and_11_1_draw_it)
{
	static const uint8_t expected[PORTMAP_REQUEST_MAX] = {
		2,    1,    0,    0,    0, 0, 0x1c, 0x20, /* MAP, lifetime */
		0,    0,    0,    0,    0, 0, 0,    0,    0, 0,  0xff, 0xff, 192, 168, 1, 1,
		1,    2,    3,    4,    5, 6, 7,    8,    9, 10, 11,   12, /* nonce */
		17,   0,    0,    0,                                       /* UDP */
		0x0d, 0x96, 0x13, 0x88,                                    /* ports */
		0,    0,    0,    0,    0, 0, 0,    0,    0, 0,  0xff, 0xff, 0,   0,   0, 0};
	const struct addr client = addr("192.168.1.1");
	uint8_t bytes[PORTMAP_REQUEST_MAX];

	cr_assert_eq(portmap_encode_wish(PORTMAP_PCP, &udp, &client, nonce, bytes),
		     PORTMAP_REQUEST_MAX);
	cr_expect_arr_eq(bytes, expected, sizeof(expected));
}

Test(wire, what_is_no_answer_is_not_taken_for_one)
{
	struct stage stage = stage_new(PORTMAP_PCP, &udp, false);
	struct portmap_answer ret;
	uint8_t bytes[64];
	size_t length, i;

	cr_assert(says(&stage, 1000 * SEC));
	cr_expect_not(portmap_decode(PORTMAP_PCP, stage.asked, stage.asked_length, &ret),
		      "a request is no answer");
	length = answer(&stage, 0, 5000, 7200, 1000 * SEC, bytes);
	cr_assert(portmap_decode(PORTMAP_PCP, bytes, length, &ret));
	for (i = 0; i < length; i++)
		cr_expect_not(portmap_decode(PORTMAP_PCP, bytes, i, &ret),
			      "the first %zu bytes are an answer", i);
}

/* ---- one port ---- */

Test(nat_pmp, asks_for_the_address_and_then_for_the_port)
{
	struct stage stage = stage_new(PORTMAP_NAT_PMP, &udp, false);
	char text[ENDPOINT_TEXT_MAX];

	cr_assert(says(&stage, 1000 * SEC));
	cr_expect_eq(stage.asked_length, 2);
	answers(&stage, 0, 0, 0, 1000 * SEC);
	cr_assert(says(&stage, 1000 * SEC));
	cr_expect_eq(stage.asked_length, 12);
	cr_expect_not(says(&stage, 1000 * SEC), "it says it twice at once");
	answers(&stage, 0, 5001, 3600, 1000 * SEC);
	cr_expect_eq(stage.portmap.phase, PORTMAP_OVER);
	cr_expect_eq(stage.portmap.outcome, PORTMAP_GRANTED);
	cr_expect_str_eq(endpoint_format(&stage.portmap.external, text), "1.2.3.4:5001");
	cr_expect_eq(stage.portmap.lifetime, 3600, "the lifetime is the granted one");
}

Test(nat_pmp, repeats_after_250_ms_and_ever_more_rarely_until_the_timeout)
{
	static const uint64_t expected[] = {0, 250, 750, 1750, 3750};
	struct stage stage = stage_new(PORTMAP_NAT_PMP, &udp, false);
	uint64_t now = 1000 * SEC, times[16];
	size_t count = 0;

	while (stage.portmap.phase != PORTMAP_OVER && count < 16) {
		if (says(&stage, now))
			times[count++] = (now - 1000 * SEC) / MSEC;
		else if (portmap_due(&stage.portmap) != UINT64_MAX)
			now = portmap_due(&stage.portmap);
	}
	cr_assert_eq(count, 5, "%zu requests", count);
	cr_expect_arr_eq(times, expected, sizeof(expected));
	cr_expect_eq(now, 1005 * SEC);
	cr_expect_eq(stage.portmap.outcome, PORTMAP_UNANSWERED);
	cr_expect_str_eq(stage.portmap.reason, "the gateway did not answer NAT-PMP within 5 s");
}

Test(pcp, repeats_after_3_s_as_rfc6887_section_8_1_1)
{
	struct stage stage = stage_new(PORTMAP_PCP, &udp, false);

	cr_assert(says(&stage, 1000 * SEC));
	cr_expect_not(says(&stage, 1002 * SEC));
	cr_expect(portmap_due(&stage.portmap) > 1000 * SEC + 2900 * MSEC &&
		  portmap_due(&stage.portmap) < 1000 * SEC + 3100 * MSEC);
	cr_expect(says(&stage, portmap_due(&stage.portmap)));
}

Test(pcp, believes_nobody_else_and_nothing_about_another_mapping)
{
	struct stage stage = stage_new(PORTMAP_PCP, &udp, false);
	const struct endpoint other = {addr("192.168.1.66"), PORTMAP_SERVER_PORT};
	uint8_t bytes[64], forged[64];
	size_t length;

	cr_assert(says(&stage, 1000 * SEC));
	length = answer(&stage, 0, 5000, 7200, 1000 * SEC, bytes);
	portmap_receive(&stage.portmap, &other, bytes, length, 1000 * SEC);
	memcpy(forged, bytes, length);
	forged[24] ^= 1; /* the nonce */
	portmap_receive(&stage.portmap, &stage.gateway, forged, length, 1000 * SEC);
	memcpy(forged, bytes, length);
	forged[41] ^= 1; /* the internal port */
	portmap_receive(&stage.portmap, &stage.gateway, forged, length, 1000 * SEC);
	memcpy(forged, bytes, length);
	forged[36] = 6; /* TCP */
	portmap_receive(&stage.portmap, &stage.gateway, forged, length, 1000 * SEC);
	cr_expect_eq(stage.portmap.phase, PORTMAP_ASKING);
	portmap_receive(&stage.portmap, &stage.gateway, bytes, length, 1000 * SEC);
	cr_expect_eq(stage.portmap.outcome, PORTMAP_GRANTED);
}

Test(refusals, are_told_in_words)
{
	struct stage stage = stage_new(PORTMAP_NAT_PMP, &udp, false);
	static const uint8_t pmp_only[] = {0, 0x81, 0, 1, 0, 0, 0, 9};

	cr_assert(says(&stage, 1000 * SEC));
	answers(&stage, 3, 0, 0, 1000 * SEC);
	cr_expect_eq(stage.portmap.outcome, PORTMAP_REFUSED);
	cr_expect_str_eq(stage.portmap.reason,
			 "the gateway granted no port: it has no address outside that the "
			 "internet could reach (NAT-PMP result 3)");

	stage = stage_new(PORTMAP_PCP, &udp, false);
	cr_assert(says(&stage, 1000 * SEC));
	portmap_receive(&stage.portmap, &stage.gateway, pmp_only, sizeof(pmp_only), 1000 * SEC);
	cr_expect_str_eq(stage.portmap.reason, "the gateway speaks NAT-PMP only (version 0)");

	stage = stage_new(PORTMAP_PCP, &udp, false);
	cr_assert(says(&stage, 1000 * SEC));
	portmap_refused(&stage.portmap, &stage.gateway, 1000 * SEC);
	cr_expect_eq(stage.portmap.outcome, PORTMAP_REFUSED);
	cr_expect_str_eq(stage.portmap.reason,
			 "the gateway does not speak PCP: its port 5351 is closed");
}

/* ---- a port that is kept ---- */

static struct stage held(uint32_t lifetime)
{
	struct stage stage = stage_new(PORTMAP_PCP, &udp, true);

	cr_assert(says(&stage, 1000 * SEC));
	answers(&stage, 0, 5001, lifetime, 1000 * SEC);
	cr_assert_eq(stage.portmap.phase, PORTMAP_HELD);
	cr_assert_not(says(&stage, 1000 * SEC));
	return stage;
}

Test(keeping, renews_halfway_and_asks_for_what_it_has)
{
	struct stage stage = held(100);

	cr_expect_eq(portmap_due(&stage.portmap), 1050 * SEC);
	cr_assert(says(&stage, 1050 * SEC));
	cr_expect(stage.asked[42] == 0x13 && stage.asked[43] == 0x89, "it was given port 5001");
	answers(&stage, 0, 5001, 60, 1050 * SEC);
	cr_expect_eq(stage.portmap.phase, PORTMAP_HELD);
	cr_expect_eq(stage.portmap.renewals, 1);
	cr_expect_not(stage.portmap.forgot);
	cr_expect_eq(portmap_due(&stage.portmap), 1080 * SEC, "halfway of the new lifetime");
}

Test(keeping, notices_that_the_gateway_has_started_anew)
{
	struct stage stage = held(100);

	cr_assert(says(&stage, 1050 * SEC));
	stage.born = 1049;
	answers(&stage, 0, 5001, 100, 1050 * SEC);
	cr_expect(stage.portmap.forgot, "an epoch of 1 after one of 1000");
}

Test(keeping, ends_with_its_lifetime_when_nobody_renews_it)
{
	struct stage stage = held(20);
	uint64_t now = 1000 * SEC;
	size_t count = 0;

	while (stage.portmap.phase == PORTMAP_HELD && count < 100) {
		count += says(&stage, now);
		if (stage.portmap.phase == PORTMAP_HELD)
			now = portmap_due(&stage.portmap);
	}
	cr_expect_eq(stage.portmap.outcome, PORTMAP_EXPIRED);
	cr_expect_geq(now, 1020 * SEC, "it is still open");
	cr_expect_geq(count, 2, "it asked only %zu times", count);
}

Test(keeping, asks_again_when_it_has_slept_past_the_end)
{
	struct stage stage = held(20);

	cr_assert(says(&stage, 1030 * SEC), "it gives up without asking");
	answers(&stage, 0, 5001, 20, 1030 * SEC);
	cr_expect_eq(stage.portmap.phase, PORTMAP_HELD);
}

Test(keeping, gives_it_back_when_told)
{
	struct stage stage = held(100);

	portmap_release(&stage.portmap, 1010 * SEC);
	cr_assert(says(&stage, 1010 * SEC));
	cr_expect_arr_eq(stage.asked + 4, ((uint8_t[]){0, 0, 0, 0}), 4, "a lifetime");
	cr_expect_arr_eq(stage.asked + 24, nonce, sizeof(nonce), "another nonce");
	answers(&stage, 0, 5001, 0, 1010 * SEC);
	cr_expect_eq(stage.portmap.outcome, PORTMAP_DELETED);
}

Test(keeping, gives_back_what_it_is_still_asking_for)
{
	struct stage stage = stage_new(PORTMAP_PCP, &udp, true);

	cr_assert(says(&stage, 1000 * SEC));
	portmap_release(&stage.portmap, 1000 * SEC);
	cr_expect_neq(stage.portmap.phase, PORTMAP_OVER, "the gateway may have granted it");
	answers(&stage, 0, 5000, 7200, 1000 * SEC); /* it has */
	cr_assert(says(&stage, 1000 * SEC));
	cr_expect_arr_eq(stage.asked + 4, ((uint8_t[]){0, 0, 0, 0}), 4, "a lifetime");
	answers(&stage, 0, 5000, 0, 1000 * SEC);
	cr_expect_eq(stage.portmap.outcome, PORTMAP_DELETED);
}

Test(keeping, what_was_never_asked_for_needs_not_be_given_back)
{
	struct stage stage = stage_new(PORTMAP_NAT_PMP, &udp, true);

	cr_assert(says(&stage, 1000 * SEC)); /* for the address */
	portmap_release(&stage.portmap, 1000 * SEC);
	cr_expect_eq(stage.portmap.phase, PORTMAP_OVER);
	cr_expect_not(says(&stage, 1001 * SEC));
}

/* ---- finding a device by UPnP ---- */

Test(ssdp, takes_a_gateways_answer_and_no_other)
{
	static const char good[] = "HTTP/1.1 200 OK\r\n"
				   "CACHE-CONTROL: max-age=120\r\n"
				   "St: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
				   "Location:  http://192.168.1.254:49152/rootDesc.xml\r\n\r\n";
	static const char printer[] = "HTTP/1.1 200 OK\r\n"
				      "ST: urn:schemas-upnp-org:device:Printer:1\r\n"
				      "LOCATION: http://192.168.1.7/\r\n\r\n";
	static const char notify[] = "NOTIFY * HTTP/1.1\r\n"
				     "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
				     "LOCATION: http://192.168.1.7/\r\n\r\n";
	static const char file[] = "HTTP/1.1 200 OK\r\n"
				   "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
				   "LOCATION: file:///etc/passwd\r\n\r\n";
	char url[SSDP_URL_MAX];

	cr_assert(ssdp_answer(good, sizeof(good) - 1, url));
	cr_expect_str_eq(url, "http://192.168.1.254:49152/rootDesc.xml");
	cr_expect_not(ssdp_answer(printer, sizeof(printer) - 1, url));
	cr_expect_not(ssdp_answer(notify, sizeof(notify) - 1, url));
	cr_expect_not(ssdp_answer(file, sizeof(file) - 1, url));
	cr_expect_not(ssdp_answer(good, 80, url), "half an answer");
}
