/* SPDX-License-Identifier: MIT */
/* A stray SYN hears nothing for six seconds, and then ICMP (RFC 5382 REQ-4). */
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/natbed.h"

/* So long that a busy machine does what must come before its end. */
enum { SILENCE_MS = 800 };

static struct nat late(const char *name, unsigned int silence)
{
	struct nat nat = bed_nat(name);

	nat.unsolicited = UNSOLICITED_DELAYED;
	nat.timers.stray_silence = silence;
	return nat;
}

/* What has come by now is due thereafter. */
static void wait_out_silence(void)
{
	bed_wait_until(bed_now() + SILENCE_MS + 1); /* bed_now() is rounded down */
}

/* One packet and no more: the socket is gone before it would repeat it. */
static void send_syn(struct natbed *bed, const char *from, const struct endpoint *to)
{
	int fd = bed_tcp(bed, BED_OUTSIDE, from);

	bed_connect(fd, to);
	natbed_settle(bed);
	cr_assert(bed_unanswered(fd), "%s is answered at once", from);
	close(fd);
}

/* ICMP about the SYN from @from to @at that has come to @icmp: how often. */
static unsigned int told(struct natbed *bed, int icmp, const char *from, const struct endpoint *at)
{
	const struct endpoint sender = bed_endpoint(from);
	uint8_t packet[256], quoted[12], *quote = packet + 28;
	unsigned int count = 0;
	ssize_t length;

	natbed_settle(bed);
	memcpy(quoted, sender.addr.bytes, 4);
	memcpy(quoted + 4, at->addr.bytes, 4);
	quoted[8] = (uint8_t)(sender.port >> 8);
	quoted[9] = (uint8_t)sender.port;
	quoted[10] = (uint8_t)(at->port >> 8);
	quoted[11] = (uint8_t)at->port;
	while ((length = recv(icmp, packet, sizeof(packet), MSG_DONTWAIT)) >= 0)
		if (length == 20 + 8 + 20 + 8 && packet[20] == 3 && packet[21] == 3 &&
		    memcmp(packet + 12, at->addr.bytes, 4) == 0 && quote[0] == 0x45 &&
		    memcmp(quote + 12, quoted, sizeof(quoted)) == 0)
			count++;
	return count;
}

Test(stray, one_syn_hears_once_and_not_before_its_time)
{
	const struct nat nat = late("port-restricted-cone", SILENCE_MS);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	struct endpoint closed = bed_endpoint("1.2.3.4:5000");
	int icmp = bed_icmp(&bed, BED_OUTSIDE, "9.9.9.9");
	uint64_t begin = bed_now();
	unsigned int answers = 0;

	send_syn(&bed, "9.9.9.9:1000", &closed);
	send_syn(&bed, "9.9.9.9:1000", &closed); /* again */
	while (answers == 0) {
		cr_assert_lt(bed_now(), begin + BED_DEADLINE_MS, "no answer");
		answers = told(&bed, icmp, "9.9.9.9:1000", &closed);
	}
	cr_assert_geq(bed_now(), begin + SILENCE_MS, "answered after %u ms",
		      (unsigned int)(bed_now() - begin));
	wait_out_silence();
	answers += told(&bed, icmp, "9.9.9.9:1000", &closed);
	cr_assert_eq(answers, 1, "two SYNs of one attempt hear %u times", answers);

	/* Having been answered, it begins anew. */
	send_syn(&bed, "9.9.9.9:1000", &closed);
	wait_out_silence();
	cr_assert_eq(told(&bed, icmp, "9.9.9.9:1000", &closed), 1, "the next attempt");
	close(icmp);
}

/* The RFC's six seconds, and the host's own repetitions after 1 and 3. */
Test(stray, hears_after_six_seconds_where_nothing_else_is_declared, .timeout = 30)
{
	const struct nat nat = late("port-restricted-cone", 0);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	struct endpoint closed = bed_endpoint("1.2.3.4:5000");
	int tcp = bed_tcp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	uint64_t begin = bed_now();

	bed_connect(tcp, &closed);
	cr_assert_eq(bed_await_fate(&bed, tcp, 12000), ECONNREFUSED);
	cr_assert_geq(bed_now() - begin, 6000, "answered after %u ms",
		      (unsigned int)(bed_now() - begin));
	close(tcp);
}

Test(stray, only_a_syn_is_answered)
{
	const struct nat nat = late("port-restricted-cone", SILENCE_MS);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	struct endpoint closed = bed_endpoint("1.2.3.4:5000");
	int icmp = bed_icmp(&bed, BED_OUTSIDE, "9.9.9.9");
	int udp = bed_udp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	char byte;

	bed_connect(udp, &closed);
	bed_send(udp, &closed, "anybody there?");
	natbed_settle(&bed);
	wait_out_silence();
	natbed_settle(&bed);
	cr_assert(recv(icmp, &byte, 1, MSG_DONTWAIT) < 0, "something is answered");
	close(udp);
	close(icmp);
}

/* An own SYN to the same port of the same peer: the stray one was its other half. */
Test(stray, hears_nothing_if_an_own_syn_crosses)
{
	const struct nat nat = late("full-cone", SILENCE_MS);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	struct endpoint external = bed_endpoint("1.2.3.4:5000"),
			peer = bed_endpoint("9.9.9.9:1000");
	int icmp = bed_icmp(&bed, BED_OUTSIDE, "9.9.9.9"), host;

	send_syn(&bed, "9.9.9.9:1000", &external);
	host = bed_tcp(&bed, BED_INSIDE, "192.168.1.1:5000");
	bed_connect(host, &peer);
	natbed_settle(&bed);
	wait_out_silence();
	cr_assert_eq(told(&bed, icmp, "9.9.9.9:1000", &external), 0, "the crossing one is told");
	close(host);
	close(icmp);
}

Test(stray, hears_although_another_flow_of_the_host_crosses)
{
	const struct nat nat = late("port-restricted-cone", SILENCE_MS);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	struct endpoint external = bed_endpoint("1.2.3.4:5000"),
			peer = bed_endpoint("9.9.9.9:1001");
	int icmp = bed_icmp(&bed, BED_OUTSIDE, "9.9.9.9");
	int host = bed_tcp(&bed, BED_INSIDE, "192.168.1.1:5000");

	send_syn(&bed, "9.9.9.9:1000", &external);
	bed_connect(host, &peer);
	natbed_settle(&bed);
	wait_out_silence();
	cr_assert_eq(told(&bed, icmp, "9.9.9.9:1000", &external), 1, "it hears nothing");
	close(host);
	close(icmp);
}

Test(stray, crossing_syns_connect, .timeout = 30)
{
	const struct nat nat = late("port-restricted-cone", 0);
	AUTO_NATBED struct natbed bed = natbed_open(&nat);
	struct endpoint external = bed_endpoint("1.2.3.4:5000"),
			peer = bed_endpoint("9.9.9.9:1000");
	int stranger = bed_tcp(&bed, BED_OUTSIDE, "9.9.9.9:1000");
	int host = bed_tcp(&bed, BED_INSIDE, "192.168.1.1:5000");

	bed_connect(stranger, &external);
	natbed_settle(&bed);
	cr_assert(bed_unanswered(stranger));
	bed_connect(host, &peer);
	cr_assert_eq(bed_await_fate(&bed, host, 5000), 0, "the crossing SYNs do not connect");
	cr_assert_eq(bed_await_fate(&bed, stranger, 5000), 0);
	close(stranger);
	close(host);
}

/* Of a pool; the first address is what errors from inside get. */
Test(stray, the_address_that_was_addressed_answers)
{
	struct nat nat = late("port-restricted-cone", SILENCE_MS);
	struct endpoint closed = bed_endpoint("1.2.3.5:5000");

	nat.icmp.unmatched = UNMATCHED_TRANSLATED;

	AUTO_NATBED struct natbed bed = natbed_open_pool(&nat, 2);
	int icmp = bed_icmp(&bed, BED_OUTSIDE, "9.9.9.9");

	send_syn(&bed, "9.9.9.9:1000", &closed);
	wait_out_silence();
	cr_assert_eq(told(&bed, icmp, "9.9.9.9:1000", &closed), 1, "it does not");
	close(icmp);
}
