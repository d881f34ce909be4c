/* SPDX-License-Identifier: MIT */
/*
 * Gateways that edit payload (RFC 4787 REQ-10, RFC 5382 REQ-6)
 *
 * Such a gateway looks into what hosts say at ports whose language it believes to know,
 * and replaces the endpoints they name; some replace any bytes that are the host's address,
 * which is why STUN hides it (RFC 8489 section 14.2). So a host speaks as SIP, TFTP, FTP
 * and STUN do, of its internal endpoint, and is answered of its external one. Both must
 * arrive as they were sent.
 *
 * A gateway may also open the door for what the payload announces: a TFTP server
 * answers from another port. Where the filter is strict, that must not get in.
 */
#include <stdio.h>
#include <string.h>

#include "conform/probes.h"
#include "conform/speech.h"

enum { WORDS_MAX = 256 };

struct words {
	uint8_t bytes[WORDS_MAX];
	size_t size;
};

static void compose_sip(const struct endpoint *named, struct words *ret)
{
	char text[ENDPOINT_TEXT_MAX];

	endpoint_format(named, text);
	ret->size = (size_t)snprintf((char *)ret->bytes, WORDS_MAX,
				     "REGISTER sip:example.net SIP/2.0\r\n"
				     "Via: SIP/2.0/UDP %s;branch=z9hG4bK1;rport\r\n"
				     "Contact: <sip:alice@%s>\r\n"
				     "Content-Length: 0\r\n\r\n",
				     text, text);
}

/* A request to read a file (RFC 1350 section 5) whose name is the endpoint. */
static void compose_tftp(const struct endpoint *named, struct words *ret)
{
	char text[ENDPOINT_TEXT_MAX];

	memcpy(ret->bytes, "\0\1", 2);
	ret->size = 2 + (size_t)snprintf((char *)ret->bytes + 2, WORDS_MAX - 2, "%s%coctet",
					 endpoint_format(named, text), 0);
	ret->bytes[ret->size++] = 0;
}

static void compose_ftp(const struct endpoint *named, struct words *ret)
{
	const uint8_t *a = named->addr.bytes;

	ret->size = (size_t)snprintf((char *)ret->bytes, WORDS_MAX, "PORT %u,%u,%u,%u,%u,%u\r\n",
				     a[0], a[1], a[2], a[3], named->port >> 8, named->port & 0xff);
}

/* A binding response with MAPPED-ADDRESS (RFC 8489 section 14.1). */
static void compose_stun(const struct endpoint *named, struct words *ret)
{
	static const uint8_t head[] = {1, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5,
				       6, 7, 8, 9,  10,   11,   12,   0,    1, 0, 8, 0, 1};

	memcpy(ret->bytes, head, sizeof(head));
	ret->bytes[sizeof(head)] = (uint8_t)(named->port >> 8);
	ret->bytes[sizeof(head) + 1] = (uint8_t)named->port;
	memcpy(ret->bytes + sizeof(head) + 2, named->addr.bytes, 4);
	ret->size = sizeof(head) + 6;
}

static const struct language {
	enum nat_protocol protocol;
	uint16_t port;
	const char *name;
	void (*compose)(const struct endpoint *named, struct words *ret);
	bool excepted; /* FTP's gateway may stay (RFC 5382 REQ-6) */
} languages[] = {
	{NAT_UDP, 5060, "SIP", compose_sip, false},
	{NAT_UDP, 69, "TFTP", compose_tftp, false},
	{NAT_UDP, 3478, "STUN's MAPPED-ADDRESS", compose_stun, false},
	{NAT_TCP, 5060, "SIP", compose_sip, false},
	{NAT_TCP, 3478, "STUN's MAPPED-ADDRESS", compose_stun, false},
	{NAT_TCP, 21, "FTP's PORT", compose_ftp, true},
};

/* A host and a server, and how each reaches the other; @to_* is NULL on a connection. */
struct talk {
	struct bed *bed;
	struct endpoint local, server, external;
	int host, peer;
	bool connected;
};

static bool talk_begin(struct bed *bed, const struct language *language, struct talk *ret)
{
	int listener;

	*ret = (struct talk){.bed = bed,
			     .local = bed_host(bed, 0, bed_fresh_port(bed)),
			     .server = bed_peer(bed, 0, language->port)};
	if (language->protocol == NAT_UDP) {
		ret->host = bed_udp(bed, BED_INSIDE, &ret->local);
		ret->peer = bed_udp(bed, BED_OUTSIDE, &ret->server);
		return true;
	}
	listener = bed_listen(bed, BED_OUTSIDE, &ret->server);
	ret->host = bed_tcp(bed, BED_INSIDE, &ret->local);
	bed_connect(bed, ret->host, &ret->server);
	bed_settle(bed);
	ret->peer = bed_accept(bed, listener, &ret->external);
	ret->connected = true;
	return ret->peer >= 0;
}

/* NULL when @words arrive at @at as they are, else what became of them. */
static const char *pass(const struct talk *talk, int from, const struct endpoint *to, int at,
			const struct words *words, struct endpoint *ret_from)
{
	struct words found;
	ssize_t n;

	bed_send_bytes(talk->bed, from, talk->connected ? NULL : to, words->bytes, words->size);
	bed_settle(talk->bed);
	n = bed_receive(talk->bed, at, found.bytes, WORDS_MAX, talk->connected ? NULL : ret_from);
	if (n < 0)
		return "does not arrive";
	if ((size_t)n != words->size || memcmp(found.bytes, words->bytes, words->size) != 0)
		return "arrives edited";
	return NULL;
}

/* Both ways in one language. NULL, or what became of it; *ret_named is what it named. */
static const char *speak(struct bed *bed, const struct language *language, bool strict,
			 struct endpoint *ret_named)
{
	struct words words = {.size = 0};
	struct endpoint other = bed_peer(bed, 0, PORT_B);
	const char *trouble;
	struct talk talk;

	if (!talk_begin(bed, language, &talk))
		return "does not arrive";
	*ret_named = talk.local;
	language->compose(&talk.local, &words);
	trouble = pass(&talk, talk.host, &talk.server, talk.peer, &words, &talk.external);
	if (trouble)
		return trouble;
	*ret_named = talk.external;
	language->compose(&talk.external, &words);
	trouble = pass(&talk, talk.peer, &talk.external, talk.host, &words, NULL);
	if (!trouble && strict && !talk.connected &&
	    bed_pass(bed, bed_udp(bed, BED_OUTSIDE, &other), &talk.external, talk.host, NULL))
		trouble = "opens the door for another port";
	return trouble;
}

void probe_payload(struct bed *bed, enum nat_protocol protocol, struct observed *o)
{
	const struct seen *filtering = &o->seen[ASPECT_FILTERING][protocol];
	bool strict = filtering->known && filtering->value == ADDRESS_AND_PORT_DEPENDENT;
	size_t mark = bed->socket_count, i;
	const char *trouble, *ftp = "";
	char text[ENDPOINT_TEXT_MAX];
	struct endpoint named;

	for (i = 0; i < sizeof(languages) / sizeof(languages[0]); i++) {
		if (languages[i].protocol != protocol)
			continue;
		trouble = speak(bed, &languages[i], strict, &named);
		bed_close_since(bed, mark);
		if (trouble && !languages[i].excepted) {
			see(o, ASPECT_PAYLOAD, protocol, false, "%s that names %s %s",
			    languages[i].name, endpoint_format(&named, text), trouble);
			return;
		}
		if (languages[i].excepted)
			ftp = trouble ? "; FTP's PORT does not" : "; so does FTP's PORT";
	}
	see(o, ASPECT_PAYLOAD, protocol, true,
	    "SIP, %sMAPPED-ADDRESS that name endpoints pass unchanged both ways%s",
	    protocol == NAT_UDP ? "TFTP and STUN's " : "and STUN's ", ftp);
}
