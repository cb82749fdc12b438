#!/bin/sh
# The sources beside plain TCP: RELP, UDP, HTTP connections that come and go, and 500 thin senders beside a fat one.
#
#     sh bench/ingest.sh [SECONDS]      each row takes so long, 5 by default
#
# Needs gcc, make and curl. The binary is bin/corndog, or what CORNDOG_BINARY names; with CORNDOG="bun src/main.ts" it is
# run from source. Load and corndog share the cores. RELP answers when the sink of ksink has acknowledged (ACK_MS, 2);
# UDP counts what was sent, received and dropped.
set -eu
cd "$(dirname "$0")"
seconds=${1:-5}
ack_ms=${ACK_MS:-2}
corndog=${CORNDOG:-${CORNDOG_BINARY:-../bin/corndog}}
dir=$(mktemp -d)
kafka=29192
control=29193
http=28380
relp=28381
udp=28382
tcp=28383
bare=28384
admin=28585
pids=
finish() {
  for pid in $pids; do kill "$pid" 2>/dev/null || :; done
  wait
  rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT TERM

make -s ksink ingestload sendlines
cat >"$dir/corndog.yml" <<CONFIG
listen:
  - { http: "http://127.0.0.1:$http" }
  - { relp: "tcp://127.0.0.1:$relp", ack: kafka }
  - { syslog: "udp://127.0.0.1:$udp" }
  - { syslog: "tcp://127.0.0.1:$tcp" }
admin: { listen: "127.0.0.1:$admin" }
sink: kafka
kafka: { brokers: ["127.0.0.1:$kafka"], topic: logs, compression: none }
spool: { dir: "$dir/spool", durability: ${DURABILITY:-none} }
limits: { connections: 20000, connections_per_peer: 20000 }
dead_letter: { file: "$dir/dead_letter.ndjson" }
CONFIG
./ksink --port "$kafka" --ctl "$control" --ack-ms "$ack_ms" --topic logs --quiet >"$dir/sink.log" 2>&1 &
pids=$!
# shellcheck disable=SC2086 # a command with its arguments
CORNDOG_LOG=json $corndog run -c "$dir/corndog.yml" >"$dir/log" 2>&1 &
system=$!
pids="$pids $system"
tries=0
until curl -sf "http://127.0.0.1:$admin/readyz" >/dev/null; do
  tries=$((tries + 1))
  [ "$tries" -lt 100 ] || { cat "$dir/log"; exit 1; }
  sleep 0.1
done

row() { printf '%-40s %s\n' "$1" "$2"; }
load() { ./ingestload "$@"; }
received() { curl -s "http://127.0.0.1:$admin/admin/stats" | sed -n 's/.*"ledger":{"received":\([0-9]*\).*/\1/p'; }
# Of the kernel, over all sockets of this port.
kernel_drops() { awk -v port="$(printf ':%04X' "$udp")" 'index($2, port) { drops += $NF } END { print drops + 0 }' /proc/net/udp; }

row "RELP, 1 connection, window 4096" "$(load relp "$relp" "$seconds" 1 4096)"
row "RELP, 8 connections, window 4096" "$(load relp "$relp" "$seconds" 8 4096)"
row "RELP, 64 connections, window 128" "$(load relp "$relp" "$seconds" 64 128)"

for rate in 50000 100000 200000; do
  before=$(received)
  drops=$(kernel_drops)
  said=$(load udp "$udp" "$seconds" "$rate")
  sleep 1
  row "UDP, $rate/s" "$said, $(($(received) - before)) received, $(($(kernel_drops) - drops)) dropped by the kernel"
done

row "HTTP, a connection a request, 5,000/s" "$(load churn "$http" 1 5000)"
row "500 thin HTTP, right after it" "$(load thin "$http" "$seconds" 500 5000)"
for round in 1 2 3; do
  row "500 thin HTTP, 5,000/s, alone ($round)" "$(load thin "$http" "$seconds" 500 5000)"
  ./sendlines --port "$tcp" --conns 1 --lines 1e9 --size 200 --seconds "$seconds" >"$dir/fat" 2>&1 &
  fat=$!
  row "500 thin HTTP, beside a fat TCP ($round)" "$(load thin "$http" "$seconds" 500 5000)"
  wait "$fat" 2>/dev/null || :
  row "the fat TCP beside them ($round)" "$(sed -n 's/.*"lines_per_s":\([0-9]*\).*/\1 lines\/s/p' "$dir/fat")"
  # The same sender into a reader that does nothing: what the others wait for the processors alone.
  ./ingestload drain "$bare" 20 >"$dir/bare" &
  reader=$!
  sleep 0.2
  ./sendlines --port "$bare" --conns 1 --lines 1e9 --size 200 --seconds "$seconds" >"$dir/fat" 2>&1 &
  fat=$!
  row "500 thin HTTP, beside a fat one elsewhere ($round)" "$(load thin "$http" "$seconds" 500 5000)"
  wait "$fat" "$reader" 2>/dev/null || :
done
./sendlines --port "$tcp" --conns 1 --lines 1e9 --size 200 --seconds "$seconds" >"$dir/fat" 2>&1
row "the fat TCP alone" "$(sed -n 's/.*"lines_per_s":\([0-9]*\).*/\1 lines\/s/p' "$dir/fat")"
grep -h worker_held "$dir/log" || echo "no worker was held"
