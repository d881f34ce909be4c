#!/bin/bash
# SPDX-License-Identifier: MIT
# Run every fuzzer of tests/fuzz for a number of inputs: that of topology files starting from
# the project's own, those of what comes from a network from nothing, for their inputs are recipes.
# usage: ci/fuzz.sh [RUNS, default 1000000]
set -euo pipefail
cd "$(dirname "$0")/.."

cmake --preset fuzz -DNATSIM_WERROR=ON >/dev/null
cmake --build --preset fuzz --target fuzzers -- --quiet
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for fuzzer in build-fuzz/tests/fuzz_*; do
	name=$(basename "$fuzzer")
	echo "$name:"
	# What a run finds goes to the scratch folder; the project's files are only read.
	mkdir "$scratch/$name"
	start=("$scratch/$name") longest=2048
	if [ "$name" = fuzz_topo_load ]; then
		start+=(topologies tests/bogus) longest=16384
	fi
	if ! "$fuzzer" -runs="${1-1000000}" -max_len="$longest" -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$scratch/" "${start[@]}" >"$scratch/log" 2>&1; then
		cat "$scratch/log"
		exit 1
	fi
	grep -E 'number_of_executed_units|peak_rss' "$scratch/log"
done
