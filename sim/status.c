/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "cmd.h"

int status_of_trouble(int error)
{
	switch (-error) {
	case EOPNOTSUPP:
	case EPROTONOSUPPORT:
	case EAFNOSUPPORT:
	case ENOSYS:
		return STATUS_UNSUPPORTED;
	}
	return STATUS_LAB;
}
