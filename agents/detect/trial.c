/* SPDX-License-Identifier: MIT */
#include "agents/detect/exam.h"

/* Each exam has a few silences, one has dozens, and nobody waits for it: rather too sure. */
enum { ROUNDS = 8 };

void trial_start(struct trial *trial, struct site *site, size_t socket, uint64_t now)
{
	*trial = (struct trial){0};
	probe_make(&trial->control, socket, &site->server, &site->random);
	silence_start(&trial->silence, now);
}

/* What this trial has seen of losses goes to those after it. */
static void settle(const struct trial *trial, struct site *site, uint64_t now)
{
	silence_losses(&trial->silence, rtt_timeout(&site->rtt), now, &site->trials, &site->lost);
}

bool trial_step(struct trial *trial, struct site *site, uint64_t now)
{
	unsigned int trials = site->trials, lost = site->lost;
	struct silence_path path;
	unsigned int needed;

	if (!trial->silence.running || trial->silence.over)
		return false;
	silence_losses(&trial->silence, rtt_timeout(&site->rtt), now, &trials, &lost);
	needed = silence_needed(trials, lost);
	path = rtt_path(&site->rtt, needed < ROUNDS ? ROUNDS : needed);
	switch (silence_step(&trial->silence, &path, 2 * site->timeout, now)) {
	case SILENCE_SEND:
		trial->owes_control = true;
		return true;
	case SILENCE_OVER:
		settle(trial, site, now);
		if (trial->silence.verdict == ANSWER_UNDECIDED)
			notes_reason(&site->notes,
				     "the path to the server died: %u of %u controls were answered",
				     trial->silence.proven, trial->silence.rounds);
		break;
	case SILENCE_WAIT:
		break;
	}
	return false;
}

void trial_control(struct trial *trial, uint64_t now, struct datagram *ret)
{
	trial->owes_control = false;
	probe_emit(&trial->control, now, ret);
}

bool trial_receive(struct trial *trial, struct site *site, size_t socket,
		   const struct endpoint *from, const struct stun_message *message, uint64_t now)
{
	struct probe *control = &trial->control;
	bool first = !control->answered;

	if (socket != control->socket || message->class != STUN_SUCCESS ||
	    !probe_is(control, message) || !endpoint_equal(from, &control->to) ||
	    !probe_answer(control, message, now))
		return false;
	if (first)
		rtt_measure(&site->rtt, now - control->first_sent, control->sent == 1);
	silence_proof(&trial->silence, now);
	return true;
}

void trial_end(struct trial *trial, struct site *site, enum answer verdict, uint64_t now)
{
	if (!trial->silence.running || trial->silence.over)
		return;
	silence_end(&trial->silence, verdict);
	settle(trial, site, now);
}

uint64_t trial_due(const struct trial *trial)
{
	return trial->silence.running && !trial->silence.over ? trial->silence.due : UINT64_MAX;
}
