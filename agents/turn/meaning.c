/* SPDX-License-Identifier: MIT */
#include "agents/turn/meaning.h"

const char *turn_meaning(unsigned int code)
{
	switch (code) {
	case 300:
		return "it wants us to use another server";
	case 403:
		return "it is forbidden";
	case 437:
		return "it has an allocation for this very endpoint already";
	case 441:
		return "the allocation was made by another user";
	case 442:
		return "it does not relay UDP";
	case 486:
		return "this user has as many allocations as allowed";
	case 508:
		return "it has no room for another allocation";
	default:
		return "it gives an error";
	}
}
