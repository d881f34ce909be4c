/* SPDX-License-Identifier: MIT */
/* An agent's options: what the file gives, and what follows from the picture. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topo/loader.h"
#include "topo/scalar.h"
#include "topo/suggest.h"

enum { HOST_MAX = 64, OPTION_SECONDS_MAX = 3600, PORT_MAX = 65535 };

static int option_add(struct program *program, const char *name, const char *value)
{
	struct program_option *options;

	options = array_add(program->options, &program->option_count, sizeof(*options));
	if (!options)
		return -ENOMEM;
	program->options = options;
	options += program->option_count - 1;
	options->name = strdup(name);
	options->value = value ? strdup(value) : NULL;
	return options->name && (options->value || !value) ? 0 : -ENOMEM;
}

static const char *option_value(const struct program *program, const char *name)
{
	size_t i;

	for (i = 0; i < program->option_count; i++)
		if (strcmp(program->options[i].name, name) == 0)
			return program->options[i].value;
	return NULL;
}

static bool has_option(const struct program *program, const char *name)
{
	size_t i;

	for (i = 0; i < program->option_count; i++)
		if (strcmp(program->options[i].name, name) == 0)
			return true;
	return false;
}

bool program_serves(const struct program *program)
{
	return program->agent && agent_serves(program->agent, option_value(program, "role"));
}

/* The host of "HOST", "HOST:PORT" or "[HOST]:PORT", and the port's text or NULL. */
static bool split_endpoint(const char *text, char host[HOST_MAX], const char **port)
{
	const char *colon = strrchr(text, ':');
	const char *end = text + strlen(text);

	*port = NULL;
	if (text[0] == '[') {
		text++;
		end = strchr(text, ']');
		if (!end || (end[1] != ':' && end[1] != '\0'))
			return false;
		*port = end[1] == ':' ? end + 2 : NULL;
	} else if (colon && strchr(text, ':') == colon) {
		end = colon;
		*port = colon + 1;
	}
	if (end == text || (size_t)(end - text) >= HOST_MAX)
		return false;
	memcpy(host, text, (size_t)(end - text));
	host[end - text] = '\0';
	return true;
}

static bool port_is_good(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits > 0 && digits <= 5 && text[digits] == '\0' && strtoul(text, NULL, 10) > 0 &&
	       strtoul(text, NULL, 10) <= PORT_MAX;
}

static bool host_is_good(struct loader *loader, const struct yaml *value, const char *host)
{
	const struct topo *topo = loader->topo;
	struct suggestion near;
	struct addr addr;
	size_t i;

	if (addr_parse(host, &addr)) {
		if (addr.family == AF_INET)
			return true;
		mistake(loader->source, value->span, "IPv6 is not supported yet");
		return false;
	}
	if (topo_find_node(topo, host) != TOPO_NONE || topo->node_count == 0)
		return true;
	mistake(loader->source, value->span, "\"%s\" is neither an address nor a node", host);
	near = suggest_for(host);
	for (i = 0; i < topo->node_count; i++)
		suggest(&near, topo->nodes[i].name);
	if (near.best)
		remedy(loader->source, "did you mean \"%s\"?", near.best);
	return false;
}

static bool read_host(struct loader *loader, const struct yaml *value, const char *what,
		      bool with_port, const char **ret)
{
	char host[HOST_MAX];
	const char *text, *port;

	if (!read_text(loader->source, value, what, &text))
		return false;
	if (!split_endpoint(text, host, &port) || (port && !with_port)) {
		mistake(loader->source, value->span,
			with_port ? "%s must be HOST or HOST:PORT, not %.64s"
				  : "%s must be an address or a node, not %.64s",
			what, text);
		return false;
	}
	if (port && !port_is_good(port)) {
		mistake(loader->source, value->span, "\"%.64s\" is no port from 1 to %d", port,
			PORT_MAX);
		return false;
	}
	*ret = text;
	return host_is_good(loader, value, host);
}

/* Plain decimals only: what every agent understands. */
static bool read_seconds(struct loader *loader, const struct yaml *value, const char *what,
			 const char **ret)
{
	const char *text = value->kind == YAML_SCALAR ? value->text : "";
	size_t whole = strspn(text, "0123456789");
	size_t fraction = text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;
	size_t length = fraction ? whole + 1 + fraction : whole;

	if (whole > 0 && text[length] == '\0' && strtod(text, NULL) <= OPTION_SECONDS_MAX) {
		*ret = text;
		return true;
	}
	mistake(loader->source, value->span,
		"%s must be a number of seconds from 0 to %d, not %.64s", what, OPTION_SECONDS_MAX,
		*text ? text : yaml_kind_name(value));
	return false;
}

/* Sets *ret to the text that follows the option, NULL for a flag; false without an option. */
static bool read_option(struct loader *loader, const struct agent_option *option,
			const struct yaml *value, const char **ret)
{
	unsigned long number;
	bool flag = false;

	*ret = NULL;
	switch (option->type) {
	case OPTION_FLAG:
		return read_boolean(loader->source, value, option->name, &flag) && flag;
	case OPTION_TEXT:
		return read_text(loader->source, value, option->name, ret);
	case OPTION_NUMBER:
	case OPTION_PORT:
		*ret = value->text;
		return read_number(loader->source, value, option->name,
				   option->type == OPTION_PORT ? PORT_MAX : UINT32_MAX, &number);
	case OPTION_SECONDS:
		return read_seconds(loader, value, option->name, ret);
	case OPTION_ADDRESS:
		return read_host(loader, value, option->name, false, ret);
	case OPTION_ENDPOINT:
		return read_host(loader, value, option->name, true, ret);
	}
	return false;
}

static void tell_unknown_option(struct loader *loader, const struct yaml *key,
				const struct agent *agent, const char *const other_keys[])
{
	struct suggestion near = suggest_for(key->text);
	const struct agent_option *option;
	size_t i;

	mistake(loader->source, key->span, "\"%s\" has no option \"%.64s\"", agent->name,
		key->text);
	for (option = agent->options; option->name; option++)
		suggest(&near, option->name);
	for (i = 0; other_keys[i]; i++)
		suggest(&near, other_keys[i]);
	if (near.best)
		remedy(loader->source, "did you mean \"%s\"?", near.best);
}

static bool is_among(const char *word, const char *const words[])
{
	for (; *words; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

int load_options(struct loader *loader, const struct yaml *map, const char *const other_keys[],
		 struct program *program)
{
	const struct agent_option *option;
	const char *value;
	size_t i;
	int r = 0;

	for (i = 0; i < map->count && r == 0; i++) {
		if (is_among(map->keys[i]->text, other_keys))
			continue;
		option = agent_option_find(program->agent, map->keys[i]->text);
		if (!option)
			tell_unknown_option(loader, map->keys[i], program->agent, other_keys);
		else if (read_option(loader, option, map->items[i], &value))
			r = option_add(program, option->name, value);
	}
	return r;
}

/* The node's @index-th address towards the internet, or on its first network without one. */
static bool own_address(const struct topo *topo, size_t node, size_t index,
			char text[ADDR_TEXT_MAX])
{
	const struct node *n = &topo->nodes[node];
	size_t interface = n->uplink == TOPO_NONE ? 0 : n->uplink;

	if (interface >= n->interface_count || index >= n->interfaces[interface].address_count)
		return false;
	addr_format(&n->interfaces[interface].addresses[index], text);
	return true;
}

static bool was_stopped(const struct topo *topo, size_t step, size_t program)
{
	const struct step *s;

	for (s = topo->steps + step; s < topo->steps + topo->step_count; s++)
		if ((s->kind == STEP_STOP || s->kind == STEP_WAIT) && s->target_step == step &&
		    s->target_program == program)
			return true;
	return false;
}

/* The newest server of this kind that still runs; the step being loaded is not among them. */
static const struct program *find_server(const struct topo *topo, const char *name)
{
	const struct step *step;
	size_t s, p;

	for (s = topo->step_count; s-- > 0;) {
		step = &topo->steps[s];
		if (step->kind != STEP_START || s + 1 == topo->step_count)
			continue;
		for (p = step->program_count; p-- > 0;)
			if (step->programs[p].agent &&
			    strcmp(step->programs[p].agent->name, name) == 0 &&
			    step->programs[p].node != TOPO_NONE && !was_stopped(topo, s, p))
				return &step->programs[p];
	}
	return NULL;
}

/* Where @server listens, as HOST[:PORT]. */
static bool server_endpoint(const struct topo *topo, const struct program *server,
			    const char *address_option, char *text, size_t size)
{
	const char *host = option_value(server, address_option);
	const char *port = option_value(server, "port");
	char own[ADDR_TEXT_MAX];
	int n;

	if (!host || strcmp(host, "0.0.0.0") == 0) {
		if (!own_address(topo, server->node, 0, own))
			return false;
		host = own;
	}
	n = snprintf(text, size, port ? "%s:%s" : "%s", host, port);
	return n > 0 && (size_t)n < size;
}

/* Sets @text to what follows from the picture; false when nothing does. */
static bool fill_value(const struct topo *topo, const struct program *program,
		       enum option_fill fill, char *text, size_t size)
{
	const struct program *server;
	char own[ADDR_TEXT_MAX];

	switch (fill) {
	case FILL_NONE:
	case FILL_SET:
		return false;
	case FILL_OWN_ADDRESS:
	case FILL_SECOND_ADDRESS:
		if (!own_address(topo, program->node, fill == FILL_SECOND_ADDRESS, own))
			return false;
		return snprintf(text, size, "%s", own) > 0;
	case FILL_STUN_TO_GUESS:
		if (!has_option(program, "predict") && !has_option(program, "birthday"))
			return false;
		__attribute__((fallthrough));
	case FILL_STUN_SERVER:
		server = find_server(topo, "stun-server");
		return server && server_endpoint(topo, server, "primary", text, size);
	case FILL_RENDEZVOUS_SERVER:
		server = find_server(topo, "rendezvous");
		return server && server_endpoint(topo, server, "listen", text, size);
	}
	return false;
}

static void tell_missing(struct loader *loader, const struct yaml *at,
			 const struct program *program, const struct agent_option *option)
{
	const char *name = program->agent->name;

	switch (option->fill) {
	case FILL_NONE:
	case FILL_SET:
		mistake(loader->source, at->span, "\"%s\" needs a %s", name, option->name);
		remedy(loader->source, "add \"%s: ...\" beside it", option->name);
		break;
	case FILL_OWN_ADDRESS:
	case FILL_SECOND_ADDRESS:
		mistake(loader->source, at->span, "\"%s\" needs an address of its node", name);
		break;
	case FILL_STUN_SERVER:
	case FILL_STUN_TO_GUESS:
		mistake(loader->source, at->span, "\"%s\" needs a STUN server", name);
		remedy(loader->source, "start a stun-server in a step before, or say \"%s: ...\"",
		       option->name);
		break;
	case FILL_RENDEZVOUS_SERVER:
		mistake(loader->source, at->span, "\"%s\" needs a rendezvous", name);
		remedy(loader->source, "start a rendezvous in a step before, or say \"%s: ...\"",
		       option->name);
		break;
	}
}

int fill_options(struct loader *loader, const struct yaml *map, struct program *program)
{
	const struct yaml *agent = yaml_get(map, "agent");
	const struct agent_option *option;
	char text[HOST_MAX + 8];
	int r = 0;

	for (option = program->agent->options; option->name && r == 0; option++) {
		if (yaml_get(map, option->name))
			continue;
		if (option->fill == FILL_SET) {
			r = option_add(program, option->name, NULL);
			continue;
		}
		/* What follows from a wrong picture would be wrong too, and what is missing may be
		 * there. */
		if (option->fill != FILL_NONE &&
		    (!loader->picture_is_good || program->node == TOPO_NONE))
			continue;
		if (fill_value(loader->topo, program, option->fill, text, sizeof(text)))
			r = option_add(program, option->name, text);
		else if (option->required)
			tell_missing(loader, agent, program, option);
	}
	return r;
}
