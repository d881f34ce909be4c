/* SPDX-License-Identifier: MIT */
/* Stray SYNs wait in their order, each once, and no more of them than there is room for. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "lab/stray_queue.h"

#define SILENCE UINT64_C(6000000000)

/* From 9.9.9.9:@port to 1.2.3.4:5000, with the sequence number @port too. */
static size_t syn(uint8_t packet[64], unsigned int options, unsigned int port)
{
	static const uint8_t addresses[] = {9, 9, 9, 9, 1, 2, 3, 4};
	uint8_t *tcp = packet + 20 + options;

	memset(packet, 0, 64);
	packet[0] = (uint8_t)(0x40 | (5 + options / 4));
	packet[8] = 64;
	packet[9] = 6;
	memcpy(packet + 12, addresses, sizeof(addresses));
	memset(packet + 20, 1, options);
	tcp[0] = tcp[6] = (uint8_t)(port >> 8);
	tcp[1] = tcp[7] = (uint8_t)port;
	tcp[2] = 5000 >> 8;
	tcp[3] = 5000 & 0xff;
	return 20 + options + 20;
}

static struct stray_queue *queue_new(void)
{
	struct stray_queue *queue = calloc(1, sizeof(*queue));

	cr_assert(queue);
	queue->silence = SILENCE;
	return queue;
}

static bool add(struct stray_queue *queue, unsigned int port, uint64_t now)
{
	uint8_t packet[64];
	size_t length = syn(packet, 0, port);

	return stray_queue_add(queue, packet, length, now);
}

Test(stray_queue, is_due_when_the_silence_is_over_and_not_before)
{
	struct stray_queue *queue = queue_new();
	struct stray_syn out;

	cr_assert_eq(stray_queue_due(queue), UINT64_MAX);
	cr_assert_not(stray_queue_take(queue, UINT64_MAX, &out), "nothing waits");
	cr_assert(add(queue, 1000, 100));
	cr_assert(add(queue, 1001, 200));
	cr_assert_eq(stray_queue_due(queue), 100 + SILENCE);
	cr_assert_not(stray_queue_take(queue, 99 + SILENCE, &out), "too soon");
	cr_assert(stray_queue_take(queue, 100 + SILENCE, &out));
	cr_assert_eq(out.from.port, 1000);
	cr_assert_eq(out.at.port, 5000);
	cr_assert_eq(stray_queue_due(queue), 200 + SILENCE);
	cr_assert_not(stray_queue_take(queue, 199 + SILENCE, &out), "too soon");
	cr_assert(stray_queue_take(queue, UINT64_MAX, &out));
	cr_assert_eq(out.from.port, 1001);
	cr_assert_eq(stray_queue_due(queue), UINT64_MAX);
	free(queue);
}

Test(stray_queue, a_repetition_changes_nothing)
{
	struct stray_queue *queue = queue_new();
	struct stray_syn out;

	cr_assert(add(queue, 1000, 0));
	cr_assert_not(add(queue, 1000, 1000), "it waits twice");
	cr_assert(stray_queue_take(queue, SILENCE, &out));
	cr_assert(add(queue, 1000, SILENCE), "having been answered, it begins anew");
	cr_assert_eq(stray_queue_due(queue), 2 * SILENCE);
	free(queue);
}

Test(stray_queue, is_bounded_and_goes_round)
{
	struct stray_queue *queue = queue_new();
	struct stray_syn out;
	unsigned int i;

	for (i = 0; i < STRAY_QUEUE_MAX; i++)
		cr_assert(add(queue, 1000 + i, i));
	cr_assert_not(add(queue, 999, i), "one too many waits");
	cr_assert(stray_queue_take(queue, SILENCE, &out));
	cr_assert(add(queue, 999, i), "there is room again");
	for (i = 1; i < STRAY_QUEUE_MAX; i++) {
		cr_assert(stray_queue_take(queue, UINT64_MAX, &out));
		cr_assert_eq(out.from.port, 1000 + i, "out of order");
	}
	cr_assert(stray_queue_take(queue, UINT64_MAX, &out));
	cr_assert_eq(out.from.port, 999);
	free(queue);
}

Test(stray_queue, what_is_no_tcp_or_too_short_does_not_wait)
{
	struct stray_queue *queue = queue_new();
	uint8_t packet[64];
	size_t length = syn(packet, 8, 1000), cut;

	for (cut = 0; cut < 20 + 8 + 8; cut++)
		cr_assert_not(stray_queue_add(queue, packet, cut, 0), "%zu bytes wait", cut);
	packet[9] = 17;
	cr_assert_not(stray_queue_add(queue, packet, length, 0), "UDP waits");
	packet[9] = 6;
	packet[0] = 0x67;
	cr_assert_not(stray_queue_add(queue, packet, length, 0), "IPv6 waits");
	packet[0] = 0x44;
	cr_assert_not(stray_queue_add(queue, packet, length, 0), "half an IP header waits");
	free(queue);
}

/* RFC 792: the IP header, whatever its length, and eight bytes. */
Test(stray_queue, the_error_quotes_the_syn)
{
	static const unsigned int options[] = {0, 8, 24};
	struct stray_queue *queue = queue_new();
	uint8_t packet[64], error[STRAY_ERROR_MAX];
	struct stray_syn out;
	size_t i, length;

	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		syn(packet, options[i], 1000);
		cr_assert(stray_queue_add(queue, packet, sizeof(packet), 0));
		cr_assert(stray_queue_take(queue, UINT64_MAX, &out));
		cr_assert_eq(out.from.port, 1000);
		length = stray_error(&out, error);
		cr_assert_eq(length, 8 + 20 + options[i] + 8);
		cr_assert(error[0] == 3 && error[1] == 3, "type %u, code %u", error[0], error[1]);
		cr_assert_eq(memcmp(error + 4, (uint8_t[4]){0}, 4), 0);
		cr_assert_eq(memcmp(error + 8, packet, length - 8), 0, "it quotes something else");
		cr_assert_eq(internet_checksum(error, length), 0, "its checksum is wrong");
	}
	free(queue);
}
