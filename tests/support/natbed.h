/* SPDX-License-Identifier: MIT */
/*
 * A NAT between two namespaces, and sockets on both sides of it: what the kernel
 * tests of nft-rules are written in.
 *
 *     inside                         router                    outside
 *     192.168.1.1 ... .60  ----  192.168.1.254 | 1.2.3.4  ----  9.9.9.9 ... .12
 *
 * Both sides have many addresses in one namespace each: a host is an address. The
 * outside has a route to 192.168.1.0/24, so that what leaks is seen and a stranger
 * can try to come in by the private address.
 *
 * Nobody sleeps. What arrives is waited for; that something does not arrive is known
 * once a packet sent after it has made the way out and back (natbed_settle()).
 * Everything here fails the test with the reason when the test bed itself breaks.
 */
#ifndef TESTS_SUPPORT_NATBED_H
#define TESTS_SUPPORT_NATBED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "kern/netns.h"
#include "nft-rules/nat.h"

#define BED_EXTERNAL "1.2.3.4"

enum bed_side { BED_INSIDE, BED_OUTSIDE, BED_ROUTER, BED_SIDES };

enum { BED_INSIDE_HOSTS = 60, BED_OUTSIDE_HOSTS = 4, BED_DEADLINE_MS = 3000 };

struct stray_answers;

struct natbed {
	struct netns *side[BED_SIDES];
	struct stray_answers *strays; /* where stray SYNs are answered late, else NULL */
	int pilot;                    /* inside, raw ICMP: see natbed_settle() */
	uint16_t pilots;
};

struct nat bed_nat(const char *name); /* a named NAT */

/* Build the bed with a router that does @nat; the process then stays on one processor. */
struct natbed natbed_open(const struct nat *nat);
/* The same with a pool of @count external addresses: 1.2.3.4, 1.2.3.5, ... */
struct natbed natbed_open_pool(const struct nat *nat, size_t count);
void natbed_close(struct natbed *bed);
#define AUTO_NATBED __attribute__((cleanup(natbed_close)))

/* The calling thread may run anywhere again. */
void natbed_unpin(void);

/* Go out and come back: whatever was sent before has arrived, or never will. What the router owes
 * strangers by now is sent first, and what it has heard of them is noted last. */
void natbed_settle(struct natbed *bed);

/* Endpoints from text, "9.9.9.9:1000", and the test's way to compare and show them. */
struct endpoint bed_endpoint(const char *text);
struct addr bed_addr(const char *text);
bool bed_same(const struct endpoint *a, const struct endpoint *b);
#define BED_TEXT(endpoint) endpoint_format((endpoint), (char[ENDPOINT_TEXT_MAX]){0})

/* Sockets, bound to @local ("192.168.1.1:5000"), reusable ports, never blocking. */
int bed_udp(struct natbed *bed, enum bed_side side, const char *local);
int bed_tcp(struct natbed *bed, enum bed_side side, const char *local);
int bed_listen(struct natbed *bed, enum bed_side side, const char *local);
int bed_icmp(struct natbed *bed, enum bed_side side, const char *host); /* raw */

/* UDP. A message names itself, so what arrives is told from what should. */
void bed_send(int fd, const struct endpoint *to, const char *message);
struct endpoint bed_receive(int fd, const char *message); /* fails the test at the deadline */
bool bed_arrived(int fd, const char *message);            /* looks at what is there: settle first */

/* Send from @from to @to, expect it at @at: the source that @at sees. */
struct endpoint bed_pass(int from, const struct endpoint *to, int at);

/* Does a message sent from @from to @to arrive at @at? */
bool bed_passes(struct natbed *bed, int from, const struct endpoint *to, int at);

/* TCP. bed_connect() starts a connection; bed_accept() returns it with who opened it, or -1. */
void bed_connect(int fd, const struct endpoint *to);
int bed_accept(int listener, struct endpoint *ret_peer);     /* fails the test at the deadline */
int bed_try_accept(int listener, struct endpoint *ret_peer); /* looks at what is there */
/* Wait for the end of a connection attempt, at most for @timeout_ms, while the router does what it
 * owes strangers. Returns its error, 0 when it is established. */
int bed_await_fate(struct natbed *bed, int fd, unsigned int timeout_ms);
bool bed_unanswered(int fd); /* a connection in SYN_SENT: nobody has refused or accepted it */

/* ICMP echo. */
enum { BED_ECHO_REPLY = 0, BED_ECHO_REQUEST = 8 };
struct bed_echo {
	struct addr from;
	uint8_t type;
	uint16_t id, sequence;
};
void bed_send_icmp(int fd, const char *to, const void *message,
		   size_t length); /* fills the checksum */
void bed_send_echo(int fd, const char *to, uint8_t type, uint16_t id, uint16_t sequence);
bool bed_find_echo(int fd, uint8_t type, uint16_t sequence,
		   struct bed_echo *ret); /* settle first */
struct bed_echo bed_receive_echo(int fd, uint8_t type, uint16_t sequence);

/* Milliseconds on a clock that only goes forward, and waiting for a moment on it. */
uint64_t bed_now(void);
void bed_wait_until(uint64_t moment);
bool bed_readable(int fd, uint64_t deadline);

/*
 * When something ended, as probes from @outside to @host tell: what was sent at `open` came in, of
 * what was sent until `closed` something did not. A machine that stands still between two probes
 * makes no difference to either.
 */
struct bed_end {
	uint64_t open, closed;
};
struct bed_end bed_when_closed(struct natbed *bed, int outside, const struct endpoint *external,
			       int host);

/* It lived for @life milliseconds, counted from a moment between @before and @after, and no more
 * than
 * @late longer. */
void bed_check_end(const char *what, struct bed_end end, uint64_t before, uint64_t after,
		   unsigned int life, unsigned int late);

#endif
