#!/bin/bash
# SPDX-License-Identifier: MIT
# Install the Debian packages natsim needs.
#
# usage: ci/setup.sh build|test
#   build  what building natsim and running its demo needs
#   test   that, and every program the tests use
#
# Installs only what is missing, so a second call needs neither network nor root.
set -euo pipefail

build=(
	build-essential cmake ninja-build pkg-config
	libnl-3-dev libnl-route-3-dev libmnl-dev libnftnl-dev libnftables-dev
	libnetfilter-conntrack-dev libfyaml-dev libjansson-dev nettle-dev zlib1g-dev
	libminiupnpc-dev
	iputils-ping # which the demo runs in its lab
)
test=(
	libcriterion-dev clang libclang-rt-14-dev clang-format
	nftables iproute2 coturn stun-client iperf3 mandoc procps
	miniupnpd miniupnpd-nftables miniupnpc natpmpc # a router that grants ports, and foreign clients
	libnice-dev # an ICE stack: the agent ice is only built where it is
)

case ${1-} in
build) wanted=("${build[@]}") ;;
test) wanted=("${build[@]}" "${test[@]}") ;;
*)
	echo "usage: ci/setup.sh build|test" >&2
	exit 2
	;;
esac

missing=()
for package in "${wanted[@]}"; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "ci/setup.sh: these packages are missing, and installing them needs root (sudo):" >&2
	echo "  ${missing[*]}" >&2
	exit 1
fi
echo "Installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# Services must not come up on this machine: the lab starts what it needs inside.
# policy-rc.d is Debian's own switch for that (invoke-rc.d(8)).
if [ ! -e /usr/sbin/policy-rc.d ]; then
	printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
	chmod +x /usr/sbin/policy-rc.d
	trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
