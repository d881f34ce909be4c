/* SPDX-License-Identifier: MIT */
/*
 * What the tests beyond mapping and filtering have in common. They run one after the
 * other (see survey.h), each with sockets of its own, and find out one thing each. All of
 * them may meet silence, so all of them use trials: questions that a NAT may swallow,
 * in rounds that end with a control it cannot (how silence is judged: detect.c).
 */
#ifndef NATSIM_AGENTS_DETECT_EXAM_H
#define NATSIM_AGENTS_DETECT_EXAM_H

#include "agents/detect/notes.h"
#include "agents/detect/probe.h"
#include "agents/detect/rtt.h"
#include "agents/detect/silence.h"
#include "agents/net/random.h"

/* Where an exam takes place. */
struct site {
	struct endpoint server;
	const struct endpoint *local; /* of every socket, by number */
	uint64_t timeout;             /* for an answer that must come */
	struct random_source random;
	struct rtt rtt;
	unsigned int trials, lost; /* controls so far, and those that never came back */
	struct notes notes;
	bool translated;     /* mapped and local endpoint differ */
	uint64_t longest;    /* idle time to ask for, lifetime.h */
	size_t unfragmented; /* largest IP packet that this host sends in one piece */
};

/* Each exam's structure is passed as @exam to the functions of its kind. */
struct exam_kind {
	const char *name;
	size_t sockets; /* how many it needs; their numbers are @first, @first + 1, ... */
	void (*start)(void *exam, struct site *site, size_t first, uint64_t now);
	/* The next datagram to send at @now; called until false. */
	bool (*send)(void *exam, struct site *site, uint64_t now, struct datagram *ret);
	/* When to call send() again if nothing comes. */
	uint64_t (*due)(const void *exam);
	/* @message is any well-formed one, requests too. */
	void (*receive)(void *exam, struct site *site, size_t socket, const struct endpoint *from,
			const struct stun_message *message, uint64_t now);
	bool (*over)(const void *exam);
};

extern const struct exam_kind allocation_exam, hairpin_exam, fragments_exam, lifetime_exam;

/* A silence to be proven, with its control. */
struct trial {
	struct silence silence;
	struct probe control;
	bool owes_control; /* the questions of this round are out */
};

/* Controls leave from @socket. */
void trial_start(struct trial *trial, struct site *site, size_t socket, uint64_t now);

/*
 * True when a round begins: the caller sends its questions, as many as it likes, then calls
 * trial_control() for the last datagram of the round. A trial that is over has a verdict.
 */
bool trial_step(struct trial *trial, struct site *site, uint64_t now);
void trial_control(struct trial *trial, uint64_t now, struct datagram *ret);

/* Whether @message was the control's answer. */
bool trial_receive(struct trial *trial, struct site *site, size_t socket,
		   const struct endpoint *from, const struct stun_message *message, uint64_t now);

/* The question was answered (ANSWER_CAME), or in a way that proves nothing. */
void trial_end(struct trial *trial, struct site *site, enum answer verdict, uint64_t now);

uint64_t trial_due(const struct trial *trial);

#endif
