#!/bin/bash
# SPDX-License-Identifier: MIT
# The main job, from a fresh Debian 12 machine to a verdict: install what is
# needed, build, and punch a direct path through two NATs.
set -euo pipefail
cd "$(dirname "$0")/.."

ci/setup.sh build
cmake --preset release -DNATSIM_TESTS=OFF >/dev/null
cmake --build --preset release -- --quiet
exec build/natsim run topologies/double-nat.yaml "$@"
