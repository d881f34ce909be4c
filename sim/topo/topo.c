/* SPDX-License-Identifier: MIT */
/* The model's own functions: finding in it, and its end. */
#include "topo/topo.h"

#include <string.h>

static void expectations_free(struct expectation *list, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		free(list[i].field);
		free(list[i].text);
	}
	free(list);
}

static void program_clear(struct program *program)
{
	size_t i;

	for (i = 0; i < program->option_count; i++) {
		free(program->options[i].name);
		free(program->options[i].value);
	}
	free(program->options);
	for (i = 0; program->argv && program->argv[i]; i++)
		free(program->argv[i]);
	free(program->argv);
	free(program->ready);
	free(program->name);
	expectations_free(program->expectations, program->expectation_count);
}

static void step_clear(struct step *step)
{
	size_t i;

	for (i = 0; i < step->program_count; i++)
		program_clear(&step->programs[i]);
	free(step->programs);
	expectations_free(step->expectations, step->expectation_count);
}

static void node_clear(struct node *node)
{
	size_t i;

	for (i = 0; i < node->interface_count; i++)
		free(node->interfaces[i].addresses);
	free(node->interfaces);
	free(node->name);
}

void topo_free(struct topo *topo)
{
	size_t i;

	if (!topo)
		return;
	for (i = 0; i < topo->network_count; i++)
		free(topo->networks[i].name);
	for (i = 0; i < topo->node_count; i++)
		node_clear(&topo->nodes[i]);
	for (i = 0; i < topo->step_count; i++)
		step_clear(&topo->steps[i]);
	for (i = 0; i < topo->rule_file_count; i++)
		free(topo->rule_files[i]);
	free(topo->rule_files);
	free(topo->networks);
	free(topo->nodes);
	free(topo->steps);
	free(topo->file);
	free(topo->name);
	free(topo->description);
	free(topo);
}

size_t topo_find_node(const struct topo *topo, const char *name)
{
	size_t i;

	for (i = 0; i < topo->node_count; i++)
		if (strcmp(topo->nodes[i].name, name) == 0)
			return i;
	return TOPO_NONE;
}

const struct interface *topo_interface_on(const struct node *node, size_t network)
{
	size_t i;

	for (i = 0; i < node->interface_count; i++)
		if (node->interfaces[i].network == network)
			return &node->interfaces[i];
	return NULL;
}

bool topo_is_kept_apart(const struct topo *topo, size_t network, size_t node)
{
	const struct node *n = &topo->nodes[node];

	if (!topo->networks[network].isolated)
		return false;
	if (n->uplink == TOPO_NONE)
		return !n->router;
	return n->interfaces[n->uplink].network == network;
}
