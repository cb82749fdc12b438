#!/bin/sh
# What it costs to see everything: the same load with the table of waits, the flight recorder, latency histograms and
# the sentinel's figures as they are, and with nothing written down (CORNDOG_CHAOS=blind), in turns.
#
#     sh bench/observe.sh [SECONDS [ROUNDS]]      each run takes so long (5), each figure is the median of ROUNDS (7)
#
# Needs gcc, make, curl, libssl-dev and python3. The binary is bin/corndog, or what CORNDOG_BINARY names; with
# CORNDOG="bun ../src/main.ts" it is run from source. Lines go over 8 connections into a blackhole, each a rule away
# from it. Sender and corndog share the cores: what is compared is corndog's own CPU time per line, and lines per second.
set -eu
cd "$(dirname "$0")"
seconds=${1:-5}
rounds=${2:-7}
corndog=${CORNDOG:-${CORNDOG_BINARY:-../bin/corndog}}
dir=$(mktemp -d)
port=29714
admin=29785
server=
finish() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || :
  rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT TERM

make -s sendlines tls/cert.pem
cat >"$dir/corndog.yml" <<YAML
listen: [{ syslog: "tcp://127.0.0.1:$port" }]
admin: { listen: "127.0.0.1:$admin" }
sink: blackhole
workers: 1
rules:
  - name: by-host
    field: hostname
    prefix: nobody
    actions: [{ type: drop }]
YAML

# figures  Lines that were delivered, and CPU seconds of the process.
figures() {
  curl -sf "http://127.0.0.1:$admin/admin/stats" |
    python3 -c 'import json, sys; s = json.load(sys.stdin); print(s["ledger"]["delivered"], s["process"]["cpu_s"])'
}

# run NAME CHAOS  One run; adds "lines/s ns-of-CPU-per-line" to the file of this name.
run() {
  # shellcheck disable=SC2086 # a command with its arguments
  CORNDOG_CHAOS=$2 CORNDOG_LOG_LEVEL=error $corndog run -c "$dir/corndog.yml" >"$dir/log" 2>&1 &
  server=$!
  tries=0
  until curl -sf "http://127.0.0.1:$admin/readyz" >/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || { cat "$dir/log" >&2; exit 1; }
    sleep 0.1
  done
  # The first second is the compiler's.
  ./sendlines --port $port --conns 8 --seconds 1 --lines 100000000 >/dev/null
  before=$(figures)
  ./sendlines --port $port --conns 8 --seconds "$seconds" --lines 1000000000 >/dev/null
  after=$(figures)
  echo "$before $after $seconds" | awk '{ n = $3 - $1; printf "%.0f %.1f\n", n / $5, ($4 - $2) * 1e9 / n }' >>"$dir/$1"
  kill "$server"
  wait "$server" || :
  server=
}

round=0
while [ "$round" -lt "$rounds" ]; do
  # Who goes first changes, so that a machine that warms up favours nobody.
  if [ $((round % 2)) -eq 0 ]; then run seeing ""; run blind blind; else run blind blind; run seeing ""; fi
  round=$((round + 1))
done

# median FILE COLUMN
median() { awk -v c="$2" '{ print $c }' "$dir/$1" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
for name in seeing blind; do
  printf '%-8s %12s lines/s   %8s ns of CPU per line\n' "$name" "$(median $name 1)" "$(median $name 2)"
done
awk -v a="$(median seeing 1)" -v b="$(median blind 1)" -v c="$(median seeing 2)" -v d="$(median blind 2)" 'BEGIN {
  printf "seeing everything costs %.1f %% of the lines per second and %.1f %% of CPU (at most 5 %%)\n", (1 - a / b) * 100, (c / d - 1) * 100
  exit a / b < 0.95
}'
