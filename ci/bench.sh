#!/bin/bash
# SPDX-License-Identifier: MIT
# Measure natsim against its promises, and print each figure beside its bound.
#
# usage: ci/bench.sh [BUILD-FOLDER]
#
# Ratios are of one run on one machine, medians of measurements in turn. Needs root
# for the comparison with ip and nft, and says so when it leaves that out. Exit
# status: 0 every bound is held, 1 one is not.
set -euo pipefail
cd "$(dirname "$0")/.."

build=${1-build-bench}
topology=topologies/double-nat.yaml
failed=0

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

field() { sed -E "s/.*\"$1\": ([0-9.]+).*/\1/"; }

# report WHAT FIGURE UNIT RELATION BOUND
report() {
	local verdict=held
	if ! awk -v a="$2" -v b="$5" "BEGIN { exit !(a $4 b) }"; then
		verdict=BROKEN
		failed=1
	fi
	printf '  %-58s %9s %-4s (%s %s) %s\n' "$1" "$2" "$3" "$4" "$5" "$verdict"
}

if [ ! -x "$build/natsim" ] || [ ! -x "$build/bench/bench_build_lab" ]; then
	cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release >/dev/null
fi
cmake --build "$build" --target all bench -- --quiet

echo "natsim's speed on $(uname -r), $(nproc) processors, as $(id -un)"

# The floor and the lab take turns inside the program; the script takes turns with it.
ratios=() labs=() floors=() scripts=()
for _ in 1 2 3 4 5; do
	line=$("$build/bench/bench_build_lab" "$topology" 9)
	floors+=("$(field floor_ms <<<"$line")")
	labs+=("$(field lab_ms <<<"$line")")
	ratios+=("$(field ratio <<<"$line")")
	if [ "$(id -u)" -eq 0 ]; then
		scripts+=("$(tests/bench/double-nat.sh)")
	fi
done
floor=$(printf '%s\n' "${floors[@]}" | median)
lab=$(printf '%s\n' "${labs[@]}" | median)
echo
echo "building the lab of $topology (floor $floor ms, natsim $lab ms with rules)"
report "natsim / raw rtnetlink without rules" "$(printf '%s\n' "${ratios[@]}" | median)" "" "<=" 2
if [ ${#scripts[@]} -gt 0 ]; then
	script=$(printf '%s\n' "${scripts[@]}" | median)
	report "script with ip and nft ($script ms) / natsim" \
		"$(awk -v a="$script" -v b="$lab" 'BEGIN { printf "%.1f", a / b }')" "" ">=" 10
else
	echo "  the script with ip and nft needs root: left out"
fi

echo
echo "starting a program inside a node (/bin/true, to its end)"
line=$("$build/bench/bench_spawn" "$topology" 60)
report "dearer than bare fork and exec ($(field bare_ms <<<"$line") ms)" \
	"$(field dearer_ms <<<"$line")" ms "<=" 3

echo
echo "natsim run $topology, the whole process"
walls=() memories=()
for _ in 1 2 3 4 5; do
	# The largest of natsim and its children that were waited for: the supervisor, too.
	line=$({ "$build/bench/bench_process" "$build/natsim" run "$topology" >/dev/null; } 2>&1)
	walls+=("$(field wall_ms <<<"$line")")
	memories+=("$(field peak_kib <<<"$line")")
done
report "wall time" "$(printf '%s\n' "${walls[@]}" | median)" ms "<" 1000
report "peak memory" "$(printf '%s\n' "${memories[@]}" | median)" KiB "<" 16384

echo
echo "a router's NAT beside one that only masquerades, between the same veths"
while read -r line; do
	nat=$(jq -r .nat <<<"$line")
	report "$nat: 64-byte UDP, both ways ($(jq .masquerade <<<"$line")/s)" \
		"$(jq .ratio <<<"$line")" "" ">=" 0.95
done < <("$build/bench/bench_nat_packets" 21)
while read -r line; do
	nat=$(jq -r .nat <<<"$line")
	if [ "$nat" = masquerade ]; then
		printf '  %-58s %9s\n' "control, masquerade beside itself: iperf3, TCP" "$(jq .tcp_ratio <<<"$line")"
		printf '  %-58s %9s\n' "control, masquerade beside itself: iperf3, 64-byte UDP" \
			"$(jq .udp_ratio <<<"$line")"
		continue
	fi
	report "$nat: iperf3, TCP ($(jq .tcp_gbit <<<"$line") Gbit a processor second)" \
		"$(jq .tcp_ratio <<<"$line")" "" ">=" 0.95
	report "$nat: iperf3, 64-byte UDP ($(jq .udp_per_s <<<"$line") a sender's second)" \
		"$(jq .udp_ratio <<<"$line")" "" ">=" 0.95
done < <("$build/bench/bench_nat_iperf3" 14)

echo
echo "a router's rules and mappings"
line=$("$build/bench/bench_nat_tables" install)
report "installing the rules, the slowest of four NATs" "$(jq .install_ms <<<"$line")" ms "<" 1.5
report "the slowest of all named NATs, $(jq -r .slowest <<<"$line")" "$(jq .named_ms <<<"$line")" ms "<" 1.5
printf '  %-58s %9s ms\n' "an arbitrary pool of 16 addresses" "$(jq .pool_ms <<<"$line")"
line=$("$build/bench/bench_nat_tables" mappings)
report "a new mapping among 10,000 / among 500 ($(jq .few_us <<<"$line") us)" \
	"$(jq .ratio <<<"$line")" "" "<=" 1.1
printf '  %-58s %9s B    (conntrack alone: %s B)\n' "kernel memory of a mapping" \
	"$(jq .bytes <<<"$line")" "$(jq .masquerade_bytes <<<"$line")"

echo
echo "stun-server beside coturn's turnserver, one processor each in turn"
line=$("$build/bench/bench_stun_rate" "$build/stun-server")
report "Binding requests answered ($(jq .stun_server_per_s <<<"$line")/s), ours / coturn's" \
	"$(jq .ratio <<<"$line")" "" ">=" 1

# first_payload AGENT PATH ROUNDS TOPOLOGY...: milliseconds until a payload had come back over the
# path, since the later of both peers had started, in $payload: the median over all pairs and rounds.
first_payload() {
	local agent=$1 path=$2 rounds=$3 values=() round json topology
	shift 3
	for ((round = 0; round < rounds; round++)); do
		for topology; do
			if ! json=$("$build/natsim" run --no-self-check --format json "$topology"); then
				echo "  $topology: an expectation did not hold"
				failed=1
			fi
			mapfile -t -O "${#values[@]}" values < <(jq --arg agent "$agent" --arg path "$path" '
				.runs[].steps[] | select(.programs)
				| [.programs[] | select(.agent == $agent and .result.path == $path).result]
				| select(length == 2) | map(.connect_ms + .rtt_ms) | min * 1000 | round / 1000' <<<"$json")
		done
	done
	payload=$(printf '%s\n' "${values[@]}" | median)
}

echo
echo "two peers, from the start of the later one to the first payload and back"
first_payload punch direct 15 topologies/double-nat.yaml topologies/punch-full-full.yaml \
	topologies/punch-restricted-restricted.yaml
report "cone pairs, by hole punching" "$payload" ms "<" 10
first_payload punch direct 7 topologies/predict-both.yaml topologies/predict-steps.yaml
report "ports that are predicted, one side and both" "$payload" ms "<" 100
first_payload connect relayed 1 topologies/connect-relayed.yaml
report "connect, where only a relay is left" "$payload" ms "<" 1000

exit "$failed"
