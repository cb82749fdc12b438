#!/bin/sh
# Events over HTTP into a Kafka-protocol sink: requests a second, CPU, latency, and whether what was answered is there.
#
#     sh bench/http.sh [SECONDS]      each row takes so long, 5 by default
#
# Needs wrk (Debian: wrk), curl, gcc and make. The binary is bin/corndog, or what CORNDOG_BINARY names; with
# CORNDOG="bun src/main.ts" it is run from source. Load generator, corndog and sink share the cores; the sink
# acknowledges after ACK_MS (2) milliseconds. A row in which something was not delivered, or not answered well, says so.
set -eu
cd "$(dirname "$0")"
seconds=${1:-5}
ack_ms=${ACK_MS:-2}
corndog=${CORNDOG:-${CORNDOG_BINARY:-../bin/corndog}}
dir=$(mktemp -d)
kafka=29092
control=29093
http=28080
admin=28585
pids=
finish() {
  for pid in $pids; do kill "$pid" 2>/dev/null || :; done
  wait
  rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT TERM

make -s ksink
cat >"$dir/corndog.yml" <<CONFIG
listen: [{ http: "http://127.0.0.1:$http" }]
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

# What the sink has, by its own count.
delivered() { curl -s "http://127.0.0.1:$control/stats" | sed -n 's/.*"records":\([0-9]*\).*/\1/p'; }
in_flight() {
  curl -s "http://127.0.0.1:$admin/admin/stats" | sed -n 's/.*"ledger":{[^}]*"in_flight":\([0-9]*\).*/\1/p'
}
ticks() { awk '{ print $14 + $15 }' "/proc/$system/stat"; }

# row NAME CONNECTIONS EVENTS TARGET TYPE
row() {
  before=$(delivered)
  cpu=$(ticks)
  EVENTS=$3 TARGET=$4 TYPE=$5 wrk -t1 -c"$2" -d"${seconds}s" --timeout 10s -s http.lua \
    "http://127.0.0.1:$http/" >"$dir/wrk" 2>&1
  cpu=$(($(ticks) - cpu))
  tries=0
  # Counters are told a few times a second.
  sleep 0.5
  until [ "$(in_flight)" = 0 ] || [ "$tries" = 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
  done
  delivered=$(($(delivered) - before))
  rss=$(awk '/VmHWM/ { print $2 }' "/proc/$system/status")
  awk -v name="$1" -v events="$3" -v cpu="$cpu" -v delivered="$delivered" -v rss="$rss" '
    /^RESULT/ {
      answered = $2 * events
      bad = $7 > 0 || delivered < answered ? sprintf("  %d errors, %d of %d delivered", $7, delivered, answered) : ""
      printf "%-36s %9.0f req/s %10.0f events/s %6.2f us CPU/event  p50 %.2f p99 %.2f max %.1f ms  %d MB%s\n",
        name, $2 / $3 * 1e6, answered / $3 * 1e6, cpu * 1e4 / answered, $4 / 1e3, $5 / 1e3, $6 / 1e3, rss / 1024, bad
    }' "$dir/wrk"
}

row "one event, ack=memory, 64" 64 1 "/v1/ingest?ack=memory" text/plain
row "one event, ack=kafka, 64" 64 1 "/v1/ingest?ack=kafka" text/plain
row "one event, ack=kafka, 256" 256 1 "/v1/ingest?ack=kafka" text/plain
row "1,000 lines, ack=kafka, 8" 8 1000 "/v1/ingest?ack=kafka" text/plain
row "1,000 NDJSON, ack=kafka, 8" 8 1000 "/v1/ingest?ack=kafka" application/x-ndjson
row "one event, ack=memory, 1,000" 1000 1 "/v1/ingest?ack=memory" text/plain
row "one event, ack=memory, 10,000" 10000 1 "/v1/ingest?ack=memory" text/plain
row "one event, ack=memory, 64, after it" 64 1 "/v1/ingest?ack=memory" text/plain
