#!/bin/bash
# SPDX-License-Identifier: MIT
# topologies/double-nat.yaml as one would write it with ip and nft: the same
# namespaces, links, addresses, routes and forwarding, and on each router the few
# rules of a masquerade that lets no stranger in (natsim installs many more).
# Prints the milliseconds it took.
#
# Run it as root. It works in mount and network namespaces of its own, so that it
# leaves nothing on the host.
set -euo pipefail

if [ "${1-}" != inside ]; then
	exec unshare --mount --net -- bash "$0" inside
fi
mount -t tmpfs bench /run
ip link set lo up # what makes the first call of ip dear is not the script's fault

begin=${EPOCHREALTIME/[.,]/}

for space in core server router1 router2 pc1 pc2; do
	ip netns add "$space"
	ip -n "$space" link set lo up
done

# LINK NODE ADDRESS...: a link from the core to a node on the internet
link() {
	local node=$1 address
	shift
	ip link add "$node" netns core type veth peer name internet netns "$node"
	ip -n core link set "$node" up
	ip -n "$node" link set internet up
	for address; do
		ip -n "$node" addr add "$address/32" dev internet
		ip -n core route add "$address/32" dev "$node"
	done
	ip -n "$node" route add default via 192.0.0.8 dev internet onlink
}

# home ROUTER ROUTERS-ADDRESS HOST HOSTS-ADDRESS
home() {
	ip link add home netns "$1" type veth peer name home netns "$3"
	ip -n "$1" link set home up
	ip -n "$1" addr add "$2/24" dev home
	ip -n "$3" link set home up
	ip -n "$3" addr add "$4/24" dev home
	ip -n "$3" route add default via "$2"
}

ip -n core addr add 192.0.0.8/32 dev lo
ip -n core route add blackhole default
link server 9.9.9.9 9.9.9.10
link router1 1.2.3.4
link router2 5.6.7.8
home router1 192.168.1.254 pc1 192.168.1.1
home router2 192.168.2.254 pc2 192.168.2.1

for space in core router1 router2; do
	ip netns exec "$space" sysctl -qw net.ipv4.ip_forward=1
done
for space in router1 router2; do
	ip netns exec "$space" nft -f - <<-'RULES'
		table ip nat {
			chain postrouting {
				type nat hook postrouting priority srcnat
				oifname "internet" masquerade
			}
			chain input {
				type filter hook input priority filter
				iifname "internet" ct state new drop
			}
			chain forward {
				type filter hook forward priority filter
				iifname "internet" ct state new drop
			}
		}
	RULES
done

end=${EPOCHREALTIME/[.,]/}
ip netns exec pc1 ping -c1 -W2 -q 9.9.9.9 >/dev/null # it works
awk -v us=$((end - begin)) 'BEGIN { printf "%.3f\n", us / 1000 }'
