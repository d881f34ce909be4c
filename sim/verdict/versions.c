/* SPDX-License-Identifier: MIT */
/* What this natsim was built with: most of these libraries cannot be asked at run time. */
#include "verdict/report.h"

struct report_versions report_versions(const char *kernel)
{
	return (struct report_versions){
		.natsim = NATSIM_VERSION,
		.kernel = kernel,
		.libnl = NATSIM_LIBNL_VERSION,
		.libmnl = NATSIM_LIBMNL_VERSION,
		.libnftnl = NATSIM_LIBNFTNL_VERSION,
		.libnetfilter_conntrack = NATSIM_LIBNFCT_VERSION,
		.libfyaml = NATSIM_LIBFYAML_VERSION,
		.jansson = NATSIM_JANSSON_VERSION,
	};
}
