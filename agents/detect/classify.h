/* SPDX-License-Identifier: MIT */
/* From what the tests saw to the words for it. */
#ifndef NATSIM_AGENTS_DETECT_CLASSIFY_H
#define NATSIM_AGENTS_DETECT_CLASSIFY_H

#include "base/addr.h"

/* The leaves of RFC 3489's tree (section 10.1). */
enum nat_type {
	TYPE_UNKNOWN,
	TYPE_OPEN_INTERNET,
	TYPE_UDP_BLOCKED,
	TYPE_SYMMETRIC_FIREWALL,
	TYPE_FULL_CONE,
	TYPE_RESTRICTED_CONE,
	TYPE_PORT_RESTRICTED_CONE,
	TYPE_SYMMETRIC,
	TYPE_COUNT
};

/* RFC 4787 sections 4.1 and 5. */
enum behaviour {
	BEHAVIOUR_UNKNOWN,
	BEHAVIOUR_ENDPOINT_INDEPENDENT,
	BEHAVIOUR_ADDRESS_DEPENDENT,
	BEHAVIOUR_ADDRESS_AND_PORT_DEPENDENT,
	BEHAVIOUR_COUNT
};

enum answer {
	ANSWER_UNDECIDED, /* neither an answer nor a silence that means something */
	ANSWER_CAME,
	ANSWER_SILENCE, /* proven: the path was alive */
};

struct observation {
	bool reached; /* Test I was answered; without it nothing below has a meaning */
	bool blocked; /* Test I was not answered, and not because nothing listens there */
	struct endpoint local;
	struct endpoint primary; /* mapped towards A1:P1, Test I */
	bool has_address;        /* A2:P1 answered, Test II of the mapping tests */
	struct endpoint address;
	bool has_both; /* A2:P2 answered, Test III of the mapping tests */
	struct endpoint both;
	enum answer change_both; /* to a request to A1:P1 that A2:P2 shall answer */
	enum answer change_port; /* to a request to A1:P1 that A1:P2 shall answer */
};

struct finding {
	enum nat_type type;
	enum behaviour mapping, filtering;
	bool nat; /* meaningful when reached */
};

struct finding classify(const struct observation *seen);

const char *nat_type_name(enum nat_type type);
const char *behaviour_name(enum behaviour behaviour);

#endif
