/* SPDX-License-Identifier: MIT */
/*
 * How libnice is set, and why.
 *
 *   nomination  aggressive, its default. Its regular nomination takes the best as soon as two
 *               pairs are valid. Two relayed ones are that before a direct one whose first check
 *               came too early for a filter and is repeated after 500 ms. Aggressively a better
 *               pair takes over when it works. A check not sent yet is dropped either way once any
 *               pair is nominated, so where a relay is offered as well it can still be chance
 *               that it is used (topologies/README.md).
 *   READY       is what we wait for, not CONNECTED: from then on no better pair is being checked,
 *               and all payload goes over one path.
 *   sendings    two of each check, not three. RTO is 500 ms at least and doubles but for the last,
 *               so a pair that nothing passes fails after 750 ms instead of 2 s, and READY
 *               has to wait for that. A check that is lost twice is missed.
 *   idle        1 s, not 5 s: how long a side with no pair left to check waits for the other's
 *               checks before it says that there is no path.
 *   off         TCP candidates (the verdicts here speak of UDP) and UPnP (another question).
 */
#include "agents/ice/stack.h"

#include <errno.h>
#include <nice/agent.h>
#include <string.h>

enum {
	COMPONENT = 1,
	SENDINGS = 2,
	IDLE_MS = 1000,
};

struct stack {
	NiceAgent *agent;
	guint stream;
	struct stack_events events;
	void *context;
	struct endpoint turn;
	struct ice_candidates theirs;
	bool connected;
};

static enum ice_type type_of(const NiceCandidate *candidate)
{
	switch (candidate->type) {
	case NICE_CANDIDATE_TYPE_HOST:
		return ICE_HOST;
	case NICE_CANDIDATE_TYPE_SERVER_REFLEXIVE:
		return ICE_SERVER_REFLEXIVE;
	case NICE_CANDIDATE_TYPE_PEER_REFLEXIVE:
		return ICE_PEER_REFLEXIVE;
	case NICE_CANDIDATE_TYPE_RELAYED:
		return ICE_RELAYED;
	}
	return ICE_HOST;
}

static struct endpoint endpoint_of(const NiceAddress *address)
{
	struct sockaddr_storage socket_address = {0};
	struct endpoint endpoint = {0};

	nice_address_copy_to_sockaddr(address, (struct sockaddr *)&socket_address);
	(void)endpoint_from_sockaddr(&socket_address, &endpoint);
	return endpoint;
}

static void free_candidate(void *candidate)
{
	nice_candidate_free(candidate);
}

static struct ice_candidates survey(const GSList *list)
{
	struct ice_candidates found = {0};
	struct endpoint *first;

	for (; list; list = list->next) {
		const NiceCandidate *candidate = list->data;
		enum ice_type type = type_of(candidate);

		found.count++;
		first = type == ICE_HOST      ? &found.host
			: type == ICE_RELAYED ? &found.relayed
					      : &found.reflexive;
		if (first->port == 0 && type != ICE_PEER_REFLEXIVE)
			*first = endpoint_of(&candidate->addr);
	}
	return found;
}

/* ---- what it tells ---- */

static void on_gathered(NiceAgent *agent, guint stream, gpointer context)
{
	struct stack *stack = context;
	g_autofree char *description = nice_agent_generate_local_stream_sdp(agent, stream, FALSE);

	stack->events.gathered(stack->context, description);
}

/* A relayed candidate is one wherever it is seen from: not peer-reflexive for having been early. */
static enum ice_type type_of_remote(const struct stack *stack, const NiceCandidate *remote)
{
	GSList *list = nice_agent_get_remote_candidates(stack->agent, stack->stream, COMPONENT);
	enum ice_type type = type_of(remote);
	const GSList *at;

	for (at = list; at; at = at->next) {
		const NiceCandidate *candidate = at->data;

		if (candidate->type == NICE_CANDIDATE_TYPE_RELAYED &&
		    nice_address_equal(&candidate->addr, &remote->addr))
			type = ICE_RELAYED;
	}
	g_slist_free_full(list, free_candidate);
	return type;
}

static void tell_connected(struct stack *stack)
{
	NiceCandidate *local, *remote;
	struct ice_pair pair;

	if (stack->connected ||
	    !nice_agent_get_selected_pair(stack->agent, stack->stream, COMPONENT, &local, &remote))
		return;
	stack->connected = true;
	pair = (struct ice_pair){
		.local = type_of(local),
		.remote = type_of_remote(stack, remote),
		.base = endpoint_of(&local->base_addr),
		.peer = endpoint_of(&remote->addr),
	};
	if (pair.local == ICE_RELAYED)
		pair.relay = stack->turn;
	else if (pair.remote == ICE_RELAYED)
		pair.relay = pair.peer;
	stack->events.connected(stack->context, &pair);
}

static void on_state(NiceAgent *agent, guint stream, guint component, guint state, gpointer context)
{
	struct stack *stack = context;

	(void)agent;
	(void)stream;
	(void)component;
	if (state == NICE_COMPONENT_STATE_READY)
		tell_connected(stack);
	else if (state == NICE_COMPONENT_STATE_FAILED)
		stack->events.failed(stack->context,
				     "no pair of candidates works: every check failed");
}

static void on_received(NiceAgent *agent, guint stream, guint component, guint length, gchar *bytes,
			gpointer context)
{
	struct stack *stack = context;

	(void)agent;
	(void)stream;
	(void)component;
	stack->events.received(stack->context, bytes, length);
}

/* ---- its life ---- */

static void set_up(struct stack *stack, const struct stack_config *config)
{
	char text[ADDR_TEXT_MAX];

	g_object_set(stack->agent, "ice-tcp", FALSE, "upnp", FALSE, "stun-max-retransmissions",
		     SENDINGS, "idle-timeout", IDLE_MS, NULL);
	if (config->stun.port != 0)
		g_object_set(stack->agent, "stun-server", addr_format(&config->stun.addr, text),
			     "stun-server-port", (guint)config->stun.port, NULL);
	g_signal_connect(stack->agent, "candidate-gathering-done", G_CALLBACK(on_gathered), stack);
	g_signal_connect(stack->agent, "component-state-changed", G_CALLBACK(on_state), stack);
}

static void add_hosts(struct stack *stack, const struct stack_config *config)
{
	struct sockaddr_storage socket_address;
	struct endpoint host;
	NiceAddress address;
	size_t i;

	for (i = 0; i < config->host_count; i++) {
		host = (struct endpoint){.addr = config->hosts[i].addr};
		(void)endpoint_to_sockaddr(&host, &socket_address);
		nice_address_set_from_sockaddr(&address, (struct sockaddr *)&socket_address);
		nice_agent_add_local_address(stack->agent, &address);
	}
}

static int gather(struct stack *stack, const struct stack_config *config, struct diag *d)
{
	char text[ADDR_TEXT_MAX];

	stack->stream = nice_agent_add_stream(stack->agent, 1);
	if (stack->stream == 0)
		return diag_error(d, ENOMEM, "libnice has no stream for us");
	nice_agent_set_stream_name(stack->agent, stack->stream, "application");
	if (config->turn.port != 0)
		nice_agent_set_relay_info(stack->agent, stack->stream, COMPONENT,
					  addr_format(&config->turn.addr, text), config->turn.port,
					  config->user, config->password, NICE_RELAY_TYPE_TURN_UDP);
	nice_agent_attach_recv(stack->agent, stack->stream, COMPONENT, NULL, on_received, stack);
	if (!nice_agent_gather_candidates(stack->agent, stack->stream))
		return diag_error(d, EADDRNOTAVAIL, "libnice cannot gather candidates");
	return 0;
}

void stack_tell_all(void)
{
	/* stdout is for JSON. */
	g_log_writer_default_set_use_stderr(TRUE);
	g_setenv("G_MESSAGES_DEBUG", "libnice", TRUE);
	nice_debug_enable(FALSE);
}

int stack_new(const struct stack_config *config, const struct stack_events *events, void *context,
	      struct stack **ret, struct diag *d)
{
	struct stack *stack CLEANUP(stack_free_cleanup) = g_new0(struct stack, 1);
	int r;

	stack->events = *events;
	stack->context = context;
	stack->turn = config->turn;
	stack->agent = nice_agent_new(NULL, NICE_COMPATIBILITY_RFC5245);
	set_up(stack, config);
	add_hosts(stack, config);
	r = gather(stack, config, d);
	if (r == 0)
		*ret = STEAL(stack);
	return r;
}

void stack_free(struct stack *stack)
{
	if (!stack)
		return;
	g_clear_object(&stack->agent);
	g_free(stack);
}

struct ice_candidates stack_ours(const struct stack *stack)
{
	GSList *list = nice_agent_get_local_candidates(stack->agent, stack->stream, COMPONENT);
	struct ice_candidates found = survey(list);

	g_slist_free_full(list, free_candidate);
	return found;
}

struct ice_candidates stack_theirs(const struct stack *stack)
{
	return stack->theirs;
}

int stack_check(struct stack *stack, const char *description, bool controlling)
{
	g_autofree char *user = NULL, *password = NULL;
	GSList *list = nice_agent_parse_remote_stream_sdp(stack->agent, stack->stream, description,
							  &user, &password);
	int r = -EINVAL;

	stack->theirs = survey(list);
	g_object_set(stack->agent, "controlling-mode", (gboolean)controlling, NULL);
	if (list && user && password &&
	    nice_agent_set_remote_credentials(stack->agent, stack->stream, user, password) &&
	    nice_agent_set_remote_candidates(stack->agent, stack->stream, COMPONENT, list) > 0)
		r = 0;
	g_slist_free_full(list, free_candidate);
	return r;
}

void stack_send(struct stack *stack, const void *bytes, size_t length)
{
	(void)nice_agent_send(stack->agent, stack->stream, COMPONENT, (guint)length, bytes);
}

static void on_closed(GObject *agent, GAsyncResult *result, gpointer context)
{
	struct stack *stack = context;

	(void)agent;
	(void)result;
	stack->events.closed(stack->context);
}

void stack_close(struct stack *stack)
{
	nice_agent_close_async(stack->agent, on_closed, stack);
}
