/* SPDX-License-Identifier: MIT */
#include "agents/portmap/ssdp.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

size_t ssdp_search(char *buffer)
{
	int length = snprintf(buffer, SSDP_MESSAGE_MAX,
			      "M-SEARCH * HTTP/1.1\r\n"
			      "HOST: " SSDP_GROUP ":%d\r\n"
			      "MAN: \"ssdp:discover\"\r\n"
			      "MX: 1\r\n"
			      "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\r\n",
			      SSDP_PORT);

	return (size_t)length;
}

/* The value of the header @name in a message of lines; NULL when it has none. */
static const char *header(const char *text, const char *name, size_t *ret_length)
{
	const size_t length = strlen(name);
	const char *line = strstr(text, "\r\n");

	for (; line; line = strstr(line, "\r\n")) {
		line += 2;
		if (strncasecmp(line, name, length) != 0 || line[length] != ':')
			continue;
		line += length + 1;
		line += strspn(line, " \t");
		*ret_length = strcspn(line, "\r\n");
		return line;
	}
	return NULL;
}

bool ssdp_answer(const void *bytes, size_t length, char ret[SSDP_URL_MAX])
{
	static const char device[] = "urn:schemas-upnp-org:device:InternetGatewayDevice:";
	char text[2048];
	const char *type, *location;
	size_t type_length, location_length;

	if (length >= sizeof(text))
		return false;
	memcpy(text, bytes, length);
	text[length] = '\0';
	if (strncmp(text, "HTTP/1.1 200", 12) != 0)
		return false;
	type = header(text, "ST", &type_length);
	location = header(text, "LOCATION", &location_length);
	if (!type || strncmp(type, device, sizeof(device) - 1) != 0 || !location ||
	    strncmp(location, "http://", 7) != 0 || location_length >= SSDP_URL_MAX)
		return false;
	memcpy(ret, location, location_length);
	ret[location_length] = '\0';
	return true;
}
