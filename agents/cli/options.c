/* SPDX-License-Identifier: MIT */
#include "agents/cli/options.h"

#include <errno.h>
#include <string.h>

#include "agents/net/clock.h"

static void print_help(const struct cli *cli, FILE *out)
{
	const struct cli_option *option;

	fprintf(out, "usage: %s", cli->program);
	for (option = cli->options; option->name; option++) {
		if (option->required)
			fprintf(out, " --%s %s", option->name, option->argument);
	}
	fprintf(out, " [OPTION...]\n\n%s\n\n", cli->summary);
	for (option = cli->options; option->name; option++) {
		int width = fprintf(out, option->letter ? "  -%c, " : "      ", option->letter);

		width += fprintf(out, "--%s %s", option->name,
				 option->argument ? option->argument : "");
		fprintf(out, "%*s%s\n", width < 32 ? 32 - width : 1, "", option->help);
	}
	fprintf(out, "      --help                    show this\n"
		     "      --version                 show the version\n");
}

/* The value of digits [. digits] in billionths; false for anything else or beyond @max. */
static bool parse_decimal(const char *text, bool fraction_allowed, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0, scale = SEC;
	size_t digits = strspn(text, "0123456789");
	size_t i;

	if (digits == 0 || digits > 9)
		return false;
	for (i = 0; i < digits; i++)
		value = value * 10 + (uint64_t)(text[i] - '0');
	value *= SEC;
	text += digits;
	if (*text == '.' && fraction_allowed) {
		text++;
		digits = strspn(text, "0123456789");
		if (digits == 0 || digits > 9)
			return false;
		for (i = 0; i < digits; i++) {
			scale /= 10;
			value += (uint64_t)(text[i] - '0') * scale;
		}
		text += digits;
	}
	if (*text != '\0' || value > max * SEC)
		return false;
	*ret = value;
	return true;
}

static int store(const struct cli_option *option, const char *value, struct diag *d)
{
	uint64_t number;

	switch (option->type) {
	case CLI_FLAG:
		*(bool *)option->target = true;
		return 0;
	case CLI_TEXT:
		*(const char **)option->target = value;
		return 0;
	case CLI_NUMBER:
		if (!parse_decimal(value, false, option->max, &number))
			return diag_error(d, EINVAL,
					  "--%s takes a whole number up to %llu, not \"%s\"",
					  option->name, (unsigned long long)option->max, value);
		*(uint64_t *)option->target = number / SEC;
		return 0;
	case CLI_SECONDS:
		if (!parse_decimal(value, true, option->max, &number))
			return diag_error(d, EINVAL, "--%s takes seconds up to %llu, not \"%s\"",
					  option->name, (unsigned long long)option->max, value);
		*(uint64_t *)option->target = number;
		return 0;
	}
	return -EINVAL;
}

/* The option @word names ("--name", "--name=value", "-n"); *ret_value is set for the second. */
static const struct cli_option *find(const struct cli *cli, const char *word,
				     const char **ret_value)
{
	const char *equals = strchr(word, '=');
	const struct cli_option *option;

	*ret_value = NULL;
	for (option = cli->options; option->name; option++) {
		size_t length = strlen(option->name);

		if (option->letter && word[0] == '-' && word[1] == option->letter && !word[2])
			return option;
		if (strncmp(word, "--", 2) != 0 || strncmp(word + 2, option->name, length) != 0)
			continue;
		if (word[2 + length] == '\0')
			return option;
		if (equals == word + 2 + length) {
			*ret_value = equals + 1;
			return option;
		}
	}
	return NULL;
}

static int check_required(const struct cli *cli, const bool *given, struct diag *d)
{
	size_t i;

	for (i = 0; cli->options[i].name; i++) {
		if (cli->options[i].required && !given[i])
			return diag_error(d, EINVAL, "--%s %s is missing; see %s --help",
					  cli->options[i].name, cli->options[i].argument,
					  cli->program);
	}
	return CLI_RUN;
}

int cli_parse(const struct cli *cli, int argc, char *const argv[], FILE *out, struct diag *d)
{
	bool given[32] = {false};
	const struct cli_option *option;
	const char *value;
	int i, r;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_help(cli, out);
			return CLI_DONE;
		}
		if (strcmp(argv[i], "--version") == 0) {
			fprintf(out, "%s (natsim) %s\n", cli->program, NATSIM_VERSION);
			return CLI_DONE;
		}
		option = find(cli, argv[i], &value);
		if (!option)
			return diag_error(d, EINVAL, "unknown argument \"%s\"; see %s --help",
					  argv[i], cli->program);
		if (option->type == CLI_FLAG && value)
			return diag_error(d, EINVAL, "--%s takes no value", option->name);
		if (option->type != CLI_FLAG && !value) {
			if (i + 1 >= argc)
				return diag_error(d, EINVAL, "--%s needs a value", option->name);
			value = argv[++i];
		}
		r = store(option, value, d);
		if (r < 0)
			return r;
		given[option - cli->options] = true;
	}
	return check_required(cli, given, d);
}

int cli_misuse(const struct cli *cli, const struct diag *d, FILE *out)
{
	size_t i;

	for (i = 0; i < d->count; i++)
		fprintf(out, "%s: %s\n", cli->program, d->entries[i].message);
	return CLI_MISUSE;
}
