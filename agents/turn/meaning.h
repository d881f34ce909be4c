/* SPDX-License-Identifier: MIT */
/* What a TURN server's error means to whoever waits for a relay (RFC 8656 sections 7.4 and 19). */
#ifndef NATSIM_AGENTS_TURN_MEANING_H
#define NATSIM_AGENTS_TURN_MEANING_H

/* A clause about the server, such as "it is forbidden"; a general one for an unknown @code. */
const char *turn_meaning(unsigned int code);

#endif
