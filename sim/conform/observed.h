/* SPDX-License-Identifier: MIT */
/*
 * What was seen of a NAT, as data: one value per aspect and protocol, each with the
 * packets that show it, or the reason why there is none. Nothing here knows what was
 * declared; judging (judge.h) is pure.
 */
#ifndef NATSIM_CONFORM_OBSERVED_H
#define NATSIM_CONFORM_OBSERVED_H

#include <stdbool.h>
#include <stdint.h>

#include "nft-rules/nat.h"

#define EVIDENCE_MAX 160

enum aspect {
	ASPECT_PASSES,      /* whether the inside reaches the outside and is answered */
	ASPECT_TRANSLATED,  /* whether the outside sees another source than the inside has */
	ASPECT_MAPPING,     /* enum nat_dependence, of a host that nobody disturbs */
	ASPECT_CONTENDED,   /* enum nat_dependence, of one whose port another host has */
	ASPECT_OVERLOADING, /* whether two hosts ever shared one external endpoint */
	ASPECT_FILTERING,   /* enum nat_dependence */
	ASPECT_ALLOCATION,  /* enum nat_allocation */
	ASPECT_STEP,        /* between successive ports, where they are sequential */
	ASPECT_LOWEST,      /* external ports that were drawn, not kept */
	ASPECT_HIGHEST,
	ASPECT_CAPACITY,        /* how many mappings there were when no more were given */
	ASPECT_EXHAUSTION,      /* enum nat_exhaustion */
	ASPECT_EXHAUSTION_CODE, /* of the ICMP destination unreachable that is then heard; -1: none
				 */
	ASPECT_SURVIVAL,        /* whether a mapping lives on when no port is left */
	ASPECT_PARITY,          /* whether even stays even and odd odd, where ports are drawn */
	ASPECT_CONTIGUOUS,      /* whether neighbours get neighbours */
	ASPECT_SPAN,            /* how far apart the drawn ports of one host are at most */
	ASPECT_LOW_PORTS,       /* whether a port below 1024 gets one below 1024 */
	ASPECT_HAIRPINNING,     /* enum nat_hairpinning */
	ASPECT_SELF_HAIRPIN,    /* whether a host reaches itself so */
	ASPECT_UNSOLICITED,     /* enum nat_unsolicited */
	ASPECT_SILENCE,         /* ms after which a stray SYN hears ICMP; 0: it never does */
	ASPECT_POISONED,        /* whether a stranger's early packet moves the host's own mapping */
	ASPECT_LIFETIME,        /* ms until a peer is not let in any more */
	ASPECT_LIFETIME_END, /* ms after which he surely was not; unknown: not within the bound */
	ASPECT_LONG_ENOUGH,  /* whether the kernel's own timers are what the RFCs ask for */
	ASPECT_OUTBOUND,     /* whether outbound packets keep a mapping alive */
	ASPECT_INBOUND,      /* whether inbound packets do */
	ASPECT_REST,       /* whether the port of a mapping that ended is not given away at once */
	ASPECT_TRANSITORY, /* as ASPECT_LIFETIME, of a TCP connection that is half open */
	ASPECT_TRANSITORY_END,
	ASPECT_CLOSED, /* and of one that both sides have closed */
	ASPECT_CLOSED_END,
	ASPECT_RESET, /* and of one that its peer has reset */
	ASPECT_RESET_END,
	ASPECT_HELD, /* whether an open connection keeps the mapping that it shares with a closed
			one */
	ASPECT_BUSY, /* whether the packets of a busy flow arrive as they were sent */
	ASPECT_BUSY_LIFETIME, /* as ASPECT_LIFETIME, of a UDP flow that was busy */
	ASPECT_BUSY_LIFETIME_END,
	ASPECT_BUSY_OUTBOUND, /* and as those */
	ASPECT_BUSY_INBOUND,
	ASPECT_ERRORS, /* whether an ICMP error from outside reaches the inside, translated */
	ASPECT_STRANGE_ERRORS,  /* the same from somebody in between */
	ASPECT_ERRORS_KILL,     /* whether such an error ends the mapping */
	ASPECT_UNMATCHED,       /* enum nat_unmatched */
	ASPECT_BAD_CHECKSUM,    /* whether one arrives whose checksum is wrong */
	ASPECT_BAD_INNER_IP,    /* or the IP checksum of what it quotes */
	ASPECT_INNER_OPTIONS,   /* or that quotes a packet with IP options */
	ASPECT_INNER_TRANSPORT, /* or with a wrong transport checksum */
	ASPECT_EXTENSIONS,      /* or carries an extension (RFC 4884) */
	ASPECT_HAIRPIN_ERRORS,  /* whether one about a hairpinned flow arrives, translated */
	ASPECT_RST_KILLS,       /* whether a reset from outside ends the mapping */
	ASPECT_SIMULTANEOUS,    /* whether an inbound SYN meets an own half-open connection */
	ASPECT_POOLING,         /* enum nat_pooling */
	ASPECT_FORWARDS,        /* whether every declared forward leads where it should */
	ASPECT_DMZ,             /* whether the DMZ host gets what nothing else claims */
	ASPECT_FRAGMENTS,       /* whether a fragmented datagram from outside arrives */
	ASPECT_BACKWARDS,       /* whether one does whose last fragment comes first */
	ASPECT_TOO_BIG,         /* whether a host hears what its too big packet may be at most */
	ASPECT_CUT,             /* enum cutting: what becomes of one that may be fragmented */
	ASPECT_CONTROL,         /* enum control */
	ASPECT_PAYLOAD,         /* whether payload that names endpoints passes unchanged */
	ASPECTS
};

/* By which protocol a host gets a mapping that it asks for. */
enum control { CONTROL_NONE, CONTROL_NAT_PMP, CONTROL_PCP };

/* How a datagram leaves that is larger than the link and may be fragmented. */
enum cutting { CUT_NOT_AT_ALL, CUT_IN_DISORDER, CUT_IN_ORDER };

struct seen {
	bool known;
	int value;
	char evidence[EVIDENCE_MAX]; /* of the value; when it is not known, why */
};

struct observed {
	struct seen seen[ASPECTS][NAT_PROTOCOLS]; /* [NAT_UDP] for what has no protocol */
	unsigned int packets;                     /* sent by the probes */
	unsigned int scale;                       /* declared timers were divided by this */
	double ms;
};

/* Write down a value with its evidence, or why there is none. */
void see(struct observed *o, enum aspect aspect, enum nat_protocol protocol, int value,
	 const char *evidence, ...) __attribute__((format(printf, 5, 6)));
void unseen(struct observed *o, enum aspect aspect, enum nat_protocol protocol, const char *reason,
	    ...) __attribute__((format(printf, 4, 5)));

#endif
