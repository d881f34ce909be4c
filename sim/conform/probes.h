/* SPDX-License-Identifier: MIT */
/*
 * The probes, by what they find out. Each works on any rules whatever: it infers from
 * packets alone and asks no declaration. They leave mappings behind, but every probe
 * uses hosts' ports that none has used before.
 */
#ifndef NATSIM_CONFORM_PROBES_H
#define NATSIM_CONFORM_PROBES_H

#include "conform/bed.h"
#include "conform/observed.h"

/* Mapping, alone and under contention, and overloading. Comes first: sets ASPECT_PASSES. */
void probe_mapping(struct bed *bed, enum nat_protocol protocol, struct observed *o);
void probe_filtering(struct bed *bed, enum nat_protocol protocol, struct observed *o);
/* After the mapping. @thorough fills a small range to its end too. */
void probe_ports(struct bed *bed, enum nat_protocol protocol, bool thorough, struct observed *o);
/*
 * What happens when no port is left, alone: fills a bed whose NAT is fillable_nat(), its range or
 * each of its blocks cut down, and says so. For where probe_ports() found it too large.
 */
void probe_exhaustion(struct bed *bed, struct observed *o);
/* The same of a range that is small as declared, with its extent. */
void probe_range(struct bed *bed, enum nat_protocol protocol, struct observed *o);
/* @nat with @few ports; where it has blocks, with blocks of @few, two for each host of a bed. */
struct nat nat_cut_down(const struct nat *nat, unsigned int few);
struct nat fillable_nat(const struct nat *nat);
/* The same for where a range cannot be made small: among the ports below 1024. */
void probe_low_exhaustion(struct bed *bed, struct observed *o);
void probe_hairpinning(struct bed *bed, enum nat_protocol protocol, struct observed *o);
/*
 * The same, alone, where it takes ports that nobody can know: in a bed whose NAT is
 * cornered_nat(), which has only so many.
 */
void probe_cornered(struct bed *bed, enum nat_protocol protocol, struct observed *o);
struct nat cornered_nat(const struct nat *nat);
/* The same for where a NAT cannot be made to have few ports, but has few below 1024. */
void probe_chance(struct bed *bed, enum nat_protocol protocol, struct observed *o);
void probe_unsolicited(struct bed *bed, enum nat_protocol protocol, struct observed *o);
void probe_errors(struct bed *bed, enum nat_protocol protocol, struct observed *o);
/* Gateways that edit payload. After the filtering. */
void probe_payload(struct bed *bed, enum nat_protocol protocol, struct observed *o);
/* Packets that do not fit, and fragments. */
void probe_sizes(struct bed *bed, struct observed *o);
/* Whether mappings can be asked for. */
void probe_control(struct bed *bed, struct observed *o);
void probe_tcp(struct bed *bed, struct observed *o);
void probe_pool(struct bed *bed, struct observed *o);
void probe_forwards(struct bed *bed, struct observed *o);
/* All protocols in one go; takes at most about @bound_ms. */
void probe_lifetimes(struct bed *bed, unsigned int bound_ms, struct observed *o);
/* Of a NAT that is the kernel's: its settings. */
void read_lifetimes(struct bed *bed, struct observed *o);
/* Of the same: what refreshes UDP. Comes last, for it changes those settings; takes 1.2 s. */
void probe_kernel_refresh(struct bed *bed, struct observed *o);

#endif
