#!/bin/bash
# SPDX-License-Identifier: MIT
# Build natsim and pass all its tests: what CI runs, and what a person runs before
# sending a change. As root it installs the packages that are missing.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }

say "packages"
ci/setup.sh test

say "format"
git ls-files '*.c' '*.h' | xargs clang-format --dry-run --Werror

say "build"
cmake --preset release -DNATSIM_WERROR=ON -DNATSIM_TESTS=ON >/dev/null
cmake --build --preset release --target all tests -- --quiet

say "man page"
mandoc -T lint -W warning sim/*.[15]

say "tests"
# Most of them wait for timers most of the time.
ctest --test-dir build --output-on-failure -j "$(nproc)"

say "pure code under AddressSanitizer and UndefinedBehaviorSanitizer"
cmake --preset sanitize -DNATSIM_WERROR=ON >/dev/null
cmake --build --preset sanitize --target unit-tests -- --quiet
ctest --test-dir build-sanitize --output-on-failure -j "$(nproc)" -L unit

say "fuzzers, a short bounded run each (ci/fuzz.sh runs them longer)"
ci/fuzz.sh 5000
