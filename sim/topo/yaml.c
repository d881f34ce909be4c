/* SPDX-License-Identifier: MIT */
#include "topo/yaml.h"

#include <stdlib.h>
#include <string.h>

void yaml_clear(struct yaml_document *document)
{
	struct yaml *node, *next;

	for (node = document->nodes; node; node = next) {
		next = node->next;
		free(node->text);
		free(node->keys);
		free(node->items);
		free(node);
	}
	*document = (struct yaml_document){0};
}

struct yaml *yaml_get_key(const struct yaml *map, const char *key)
{
	size_t i;

	if (!map || map->kind != YAML_MAPPING)
		return NULL;
	for (i = 0; i < map->count; i++)
		if (strcmp(map->keys[i]->text, key) == 0)
			return map->keys[i];
	return NULL;
}

struct yaml *yaml_get(const struct yaml *map, const char *key)
{
	size_t i;

	if (!map || map->kind != YAML_MAPPING)
		return NULL;
	for (i = 0; i < map->count; i++)
		if (strcmp(map->keys[i]->text, key) == 0)
			return map->items[i];
	return NULL;
}

bool yaml_is_null(const struct yaml *node)
{
	static const char *const words[] = {"", "null", "Null", "NULL", "~"};
	size_t i;

	if (node->kind != YAML_SCALAR || !node->plain)
		return false;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(node->text, words[i]) == 0)
			return true;
	return false;
}

const char *yaml_kind_name(const struct yaml *node)
{
	switch (node->kind) {
	case YAML_SCALAR:
		return yaml_is_null(node) ? "nothing" : "text";
	case YAML_SEQUENCE:
		return "a list";
	case YAML_MAPPING:
		return "a map";
	}
	return "nothing";
}
