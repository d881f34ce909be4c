/* SPDX-License-Identifier: MIT */
/* Ports, ranges of them, steps between them and blocks of them. */
#include <stdlib.h>
#include <string.h>

#include "topo/nat.h"
#include "topo/scalar.h"

enum { PORT_MAX = 65535 };

/* What a value is, when it is not what it should be. */
static const char *found(const struct yaml *node)
{
	return node->kind == YAML_SCALAR && !yaml_is_null(node) ? node->text : yaml_kind_name(node);
}

/* The digits at @text; false unless they are a port. Port 0 is told apart by the caller. */
static bool parse_port(const char *text, const char **ret_end, unsigned long *ret)
{
	size_t length = strspn(text, "0123456789");

	if (length == 0 || length > 5)
		return false;
	*ret = strtoul(text, NULL, 10);
	*ret_end = text + length;
	return *ret <= PORT_MAX;
}

bool read_port(struct source *source, const struct yaml *value, const char *what,
	       unsigned long *ret)
{
	const char *text = value->kind == YAML_SCALAR ? value->text : "", *end;
	unsigned long port;

	if (!parse_port(text, &end, &port) || *end != '\0') {
		mistake(source, value->span, "%s is a port from 1 to 65535, not %.64s", what,
			found(value));
		return false;
	}
	if (port == 0) {
		mistake(source, value->span, "port 0 is reserved: no packet can carry it");
		return false;
	}
	*ret = port;
	return true;
}

bool read_range(struct source *source, const struct yaml *value, struct nat_ports *ports)
{
	const char *text = value->kind == YAML_SCALAR ? value->text : "", *end;
	unsigned long first, last;

	if (!parse_port(text, &end, &first)) {
		mistake(source, value->span,
			"range is FIRST-LAST, ports from 1 to 65535, not %.64s", found(value));
		return false;
	}
	last = first;
	if (*end == '-' && !parse_port(end + 1, &end, &last))
		end = "?";
	if (*end != '\0') {
		mistake(source, value->span,
			"range is FIRST-LAST, ports from 1 to 65535, not %.64s", found(value));
		return false;
	}
	if (first == 0) {
		mistake(source, value->span, "port 0 is reserved: no packet can carry it");
		return false;
	}
	if (last < first) {
		mistake(source, value->span, "the range %s is empty: it runs backwards", text);
		remedy(source, "did you mean \"%lu-%lu\"?", last ? last : 1, first);
		return false;
	}
	ports->first = (uint16_t)first;
	ports->last = (uint16_t)last;
	return true;
}

bool read_step(struct source *source, const struct yaml *value, int *ret)
{
	const char *text = value->kind == YAML_SCALAR ? value->text : "", *end;
	bool down = *text == '-';
	unsigned long step;

	if (!parse_port(text + down, &end, &step) || *end != '\0') {
		mistake(source, value->span,
			"step is a whole number from -65535 to 65535, not %.64s", found(value));
		return false;
	}
	if (step == 0) {
		mistake(source, value->span,
			"with a step of 0 every mapping would get the same port");
		return false;
	}
	*ret = down ? -(int)step : (int)step;
	return true;
}

bool read_block(struct source *source, const struct yaml *value, unsigned int *ret)
{
	unsigned long block, above = 1;

	if (!read_number(source, value, "block", PORT_MAX, &block))
		return false;
	if (block == 0 || (block & (block - 1))) {
		mistake(source, value->span, "a block is a power of two, not %lu ports", block);
		while (above < block)
			above *= 2;
		remedy(source, "the next one is %lu", above);
		return false;
	}
	*ret = (unsigned int)block;
	return true;
}
