/* SPDX-License-Identifier: MIT */
/*
 * The standard bed: one router with the NAT in question, hosts on both sides of it,
 * and this process's own sockets in their namespaces.
 *
 *     inside                       router                 outside
 *     8 hosts, one namespace  ---  NAT  ---  (internet) --- 4 peers, one namespace
 *                                                |
 *                                             control
 *
 * A host is an address: the kernel does not care in whose namespace it is. One
 * process holds both ends of every conversation, so nothing has to be agreed upon.
 *
 * How silence is known. "It did not arrive" must not mean "it was waited for, for a
 * while". The process stays on one processor, where the kernel handles packets in
 * the order in which they were queued, each hop of a veth being one queueing. So a
 * packet to `control` and back, which passes as many hops as the longest story that a
 * probe can start (out, an answer, an answer to that), comes home after the story is
 * over. It does not cross the router, whose rules may be anybody's.
 *
 * Errors stick: after the first failure of the bed itself (not of a probe)
 * bed->error is set, and everything returns at once.
 */
#ifndef NATSIM_CONFORM_BED_H
#define NATSIM_CONFORM_BED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/diag.h"
#include "kern/netns.h"
#include "lab/lab.h"
#include "nft-rules/nat.h"

/* What is put to the test. All pointers are borrowed for as long as the bed is. */
struct subject {
	const struct nat *nat;        /* what the router does */
	const struct nat *promised;   /* whose forwards and DMZ host to ask for; NULL: the same */
	const char *inside, *outside; /* names of its interfaces */
	struct prefix lan;            /* its own inside address, with the subnet's length */
	const struct addr *externals;
	size_t external_count;
};

enum bed_side { BED_INSIDE, BED_OUTSIDE };

enum {
	BED_HOSTS = 8, /* inside; the last one only tries whether the links are up */
	BED_DMZ = 6,   /* the DMZ host, where there is one */
	BED_PEERS = 4, /* outside; the last one is a stranger to everybody */
	BED_SOCKETS_MAX = 1024,
	BED_DEADLINE_MS = 2000,
	BED_PATIENCE_MS = 1000, /* for a NAT through which nothing passes */
};

struct bed {
	struct topo *topo;
	struct plan *plan;
	struct lab *lab;
	struct netns *side[2], *router;
	struct addr hosts[BED_HOSTS], peers[BED_PEERS];
	const struct subject *subject;
	int near, far; /* the control's sockets */
	int sockets[BED_SOCKETS_MAX];
	size_t socket_count;
	uint32_t serial;  /* of the last message */
	uint16_t port;    /* the last local port that was given out */
	uint16_t kept[2]; /* ports between these two are kept, and others are not; 0: no such */
	uint16_t kept_next;
	bool drawn[UINT16_MAX + 1]; /* external ports that were seen */
	unsigned int sent;          /* how many packets the probes have sent */
	bool pinned;
	unsigned char cpus[128]; /* the processors that were ours before */
	int error;
	struct diag *d;
};

/* Forwards cannot be found out, only asked for: who promises them. */
const struct nat *subject_promise(const struct subject *subject);

/* Only inside lab_supervise(). Returns 0, or -errno with the reason in @d. */
int bed_up(const struct subject *subject, struct bed **ret, struct diag *d);
void bed_free(struct bed *bed);
DEFINE_CLEANUP(struct bed *, bed_free)

/* The inside's and outside's addresses with a port. */
struct endpoint bed_host(const struct bed *bed, size_t host, uint16_t port);
struct endpoint bed_peer(const struct bed *bed, size_t peer, uint16_t port);

/* A local port that no probe has used yet; every second one is odd. */
uint16_t bed_fresh_port(struct bed *bed);
/* One that is kept if any is: within the range, and not seen as another socket's. */
uint16_t bed_kept_port(struct bed *bed);

/* The external endpoint that the bed's own socket has, which tried the links; false when none is
 * seen. */
bool bed_tried(struct bed *bed, struct endpoint *ret);

/* Whatever was sent before has arrived with all its consequences, or never will; what the router
 * owes by now it has sent first, and what it has heard it has noted last. */
void bed_settle(struct bed *bed);

uint64_t bed_clock_ms(void);
/* Let a moment on bed_clock_ms() pass. Waiting is what a probe of lifetimes measures with. */
void bed_wait_until(uint64_t moment);

/*
 * Sockets: bound, never blocking, owned by the bed. Descriptor, or -1 once the bed
 * has failed; every function takes a -1 and does nothing with it.
 */
int bed_udp(struct bed *bed, enum bed_side side, const struct endpoint *local);
int bed_tcp(struct bed *bed, enum bed_side side, const struct endpoint *local);
int bed_listen(struct bed *bed, enum bed_side side, const struct endpoint *local);
int bed_icmp(struct bed *bed, enum bed_side side, const struct addr *local); /* raw */

/* Close every socket opened since bed->socket_count was @mark; connections end with a reset. */
void bed_close_since(struct bed *bed, size_t mark);

/* UDP: send a message that is like no other; returns its number. */
uint32_t bed_send(struct bed *bed, int fd, const struct endpoint *to);
/* The same in a datagram that needs three fragments. */
uint32_t bed_send_long(struct bed *bed, int fd, const struct endpoint *to);
/* Has message @number arrived at @fd by now? @ret_from, if it has, is who it is from. */
bool bed_heard(struct bed *bed, int fd, uint32_t number, struct endpoint *ret_from);
/* Send, settle, look. */
bool bed_pass(struct bed *bed, int from, const struct endpoint *to, int at,
	      struct endpoint *ret_from);

/* The very bytes: a datagram for @to; on a connection, @to is NULL. */
void bed_send_bytes(struct bed *bed, int fd, const struct endpoint *to, const void *bytes,
		    size_t size);
/* What came next at @fd, a datagram or all a connection has; its length, or -1 for nothing. */
ssize_t bed_receive(struct bed *bed, int fd, void *buffer, size_t size, struct endpoint *ret_from);

/* TCP: begin a connection; take the next one that waits; -1 for none. */
void bed_connect(struct bed *bed, int fd, const struct endpoint *to);
int bed_accept(struct bed *bed, int listener, struct endpoint *ret_from);
/* From now on @fd is deaf: what comes for it is not answered. */
void bed_deafen(struct bed *bed, int fd);
/* The socket's own fate: 0 while nobody has answered or it is connected, else the errno. */
int bed_fate(int fd);
bool bed_connected(int fd);

/* A raw socket that sees UDP arrive at @local, with its headers. */
int bed_udp_tap(struct bed *bed, enum bed_side side, const struct addr *local);

/*
 * A raw socket that sees TCP arrive at @local, and what it saw: the next segment for @port, the
 * next SYN. For where a connection cannot come about, since its two ends know each other by
 * different addresses, and for where one is over.
 */
enum { SEGMENT_FIN = 0x01, SEGMENT_SYN = 0x02, SEGMENT_RST = 0x04, SEGMENT_ACK = 0x10 };
struct bed_segment {
	struct endpoint from, to;
	uint32_t sequence, acknowledged;
	uint8_t flags;
};
int bed_tcp_tap(struct bed *bed, enum bed_side side, const struct addr *local);
bool bed_next_segment(int tap, uint16_t port, struct bed_segment *ret);
bool bed_next_syn(int tap, uint16_t port, struct endpoint *ret_from);
/* Without payload; from a socket of bed_packets(). */
void bed_send_segment(struct bed *bed, int fd, const struct bed_segment *segment);

/*
 * Sizes. The router's link to the outside, for packets of @mtu bytes at most. Raw sockets that
 * send whole IP packets, and that see everything arrive before fragments become one.
 */
void bed_set_outside_mtu(struct bed *bed, int mtu);
int bed_packets(struct bed *bed, enum bed_side side);
int bed_sniffer(struct bed *bed, enum bed_side side);
/* A message in two fragments, the second one first; from a socket of bed_packets(). */
uint32_t bed_send_backwards(struct bed *bed, int fd, const struct endpoint *from,
			    const struct endpoint *to);
/* Where the next fragment of UDP for @to that a sniffer saw begins; -1 for none. */
int bed_next_fragment(int fd, const struct addr *to);

/* ICMP. A message as the raw socket shows it. */
struct bed_icmp {
	struct addr from;
	uint8_t type, code;
	uint16_t id, sequence; /* of fragmentation needed: the sequence is the next hop's MTU */
	/* Of an error: the packet it is about. */
	uint8_t about_protocol;
	struct endpoint about_from, about_to;
};
void bed_send_echo(struct bed *bed, int fd, const struct addr *to, uint8_t type, uint16_t id,
		   uint16_t sequence);

/* What is unusual about an ICMP error (RFC 5508 REQ-3). */
enum bed_twist {
	TWIST_NONE,
	TWIST_CHECKSUM,        /* the message's own is wrong */
	TWIST_INNER_IP,        /* the quoted packet's IP header checksum is */
	TWIST_INNER_TRANSPORT, /* its transport checksum is (UDP) */
	TWIST_OPTIONS,         /* it has IP options */
	TWIST_EXTENSION,       /* an extension follows it (RFC 4884) */
};

/* An error about a packet from @from to @to. */
struct bed_error {
	uint8_t type, code, protocol;
	struct endpoint from, to;
	enum bed_twist twist;
};
void bed_send_error(struct bed *bed, int fd, const struct addr *to, const struct bed_error *error);
/* The next message waiting at @fd. */
bool bed_next_icmp(int fd, struct bed_icmp *ret);

#endif
