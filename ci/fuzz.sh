#!/bin/bash
# SPDX-License-Identifier: MIT
# Run every fuzzer of tests/fuzz for a number of inputs, starting from the
# project's own files. usage: ci/fuzz.sh [RUNS, default 1000000]
set -euo pipefail
cd "$(dirname "$0")/.."

cmake --preset fuzz -DNATSIM_WERROR=ON -DNATSIM_TESTS=ON >/dev/null
cmake --build --preset fuzz --target fuzzers -- --quiet
seeds=$(mktemp -d)
trap 'rm -rf "$seeds"' EXIT
cp topologies/*.yaml tests/bogus/*.yaml "$seeds"
for fuzzer in build-fuzz/fuzz/*; do
	echo "$(basename "$fuzzer"):"
	(cd "$seeds" && "$OLDPWD/$fuzzer" -runs="${1-1000000}" -max_len=4096 -rss_limit_mb=1024 \
		-print_final_stats=1 "$seeds" 2>&1 | grep -E 'ERROR|SUMMARY|stat::number_of_executed_units|stat::peak_rss' ||
		true
	test "${PIPESTATUS[0]}" -eq 0)
done
