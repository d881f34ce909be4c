#!/bin/bash
# SPDX-License-Identifier: MIT
# Run every fuzzer of tests/fuzz for a number of inputs, starting from the
# project's own files. usage: ci/fuzz.sh [RUNS, default 1000000]
set -euo pipefail
cd "$(dirname "$0")/.."

cmake --preset fuzz -DNATSIM_WERROR=ON >/dev/null
cmake --build --preset fuzz --target fuzzers -- --quiet
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/corpus"
for fuzzer in build-fuzz/tests/fuzz_*; do
	echo "$(basename "$fuzzer"):"
	# What a run finds goes to the scratch folder; the project's files are only read.
	if ! "$fuzzer" -runs="${1-1000000}" -max_len=16384 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$scratch/" "$scratch/corpus" topologies tests/bogus >"$scratch/log" 2>&1; then
		cat "$scratch/log"
		exit 1
	fi
	grep -E 'number_of_executed_units|peak_rss' "$scratch/log"
done
