#!/bin/sh
# The load generator beside others, on the same target in the same run: how much it sends, what that costs, and how
# well it keeps a rate.
#
#     sh bench/clobber.sh [SECONDS [ROUNDS]]      each run takes so long (5), each row is the median of ROUNDS (3)
#
# Needs wrk (Debian: wrk), gcc, make, curl and libssl-dev; loggen comes out of Debian's syslog-ng-core (peers.sh). The
# binary is bin/corndog, or what CORNDOG_BINARY names; with CORNDOG="bun ../src/main.ts" it is run from source. Target and
# generator share the cores. What arrived is counted by the target; CPU is all of the generator's process, its start
# and its report included.
set -eu
cd "$(dirname "$0")"
seconds=${1:-5}
rounds=${2:-3}
corndog=${CORNDOG:-${CORNDOG_BINARY:-../bin/corndog}}
peers=${PEERS:-/tmp/corndog-peers}
dir=$(mktemp -d)
lines=29514
http=29580
tls=29614
control=29585
sink=
finish() {
  [ -z "$sink" ] || kill "$sink" 2>/dev/null || :
  rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT TERM

make -s loadsink tls/cert.pem
command -v wrk >/dev/null || { echo "wrk is missing (Debian: wrk)" >&2; exit 2; }
sh ./peers.sh "$peers" >&2
ng=$peers/syslog-ng

./loadsink --lines $lines --http $http --tls $tls tls/cert.pem tls/key.pem --ctl $control &
sink=$!
tries=0
until curl -sf "http://127.0.0.1:$control/stats" >/dev/null; do
  tries=$((tries + 1))
  [ "$tries" -lt 50 ] || { echo "the target did not start" >&2; exit 1; }
  sleep 0.1
done

# One generator each: writes what it says to $dir/out.
with_wrk() { wrk -t2 -c50 -d"${seconds}s" "http://127.0.0.1:$http/"; }
with_loggen() {
  LD_LIBRARY_PATH=$(echo "$ng"/usr/lib/*-linux-gnu):$(echo "$ng"/lib/*-linux-gnu):$ng/usr/lib/syslog-ng \
    SYSLOGNG_PREFIX=$ng/usr "$ng/usr/bin/loggen" "$@" -r 100000000 -s 256 -I "$seconds" --active-connections=8
}
with_clobber() {
  # shellcheck disable=SC2086 # a command with its arguments
  $corndog clobber "$@" -d "${seconds}s" --quiet --json "$dir/json" </dev/null || [ $? -eq 98 ]
}

# json NAME  The first number of that name in the last result.
json() { sed -n "s/^ *\"$1\": \([0-9.e+-]*\),*\$/\1/p" "$dir/json" | head -n 1; }
counted() { curl -s "http://127.0.0.1:$control/stats" | sed "s/.*\"$1\":\([0-9]*\).*/\1/"; }
# processor seconds of a subshell's children, from the second line of `times`
cpu() { awk 'NR == 2 { split($1, u, /[ms]/); split($2, s, /[ms]/); print 60 * u[1] + u[2] + 60 * s[1] + s[2] }' "$dir/times"; }

# run UNIT ROW COMMAND...  One run: appends "per second, per CPU second" to the row's file.
run() {
  unit=$1
  row=$2
  shift 2
  counted "$unit" >/dev/null
  # The subshell's times are those of the generator alone.
  (
    "$@" >"$dir/out" 2>&1
    times >"$dir/times"
  ) || { cat "$dir/out" >&2; exit 1; }
  sleep 0.5
  count=$(counted "$unit")
  case $1 in
    with_wrk) rate=$(sed -n 's/^Requests\/sec: *//p' "$dir/out") ;;
    with_loggen) rate=$(sed -n 's/^average rate = \([0-9.]*\).*/\1/p' "$dir/out") ;;
    with_clobber)
      rate=$(json sentRate)
      [ "$count" = "$(json sent)" ] || echo "  $row: sent $(json sent), the target counted $count" >&2
      ;;
  esac
  echo "$rate $(awk "BEGIN { print $count / $(cpu) }")" >>"$dir/$row"
}

# median ROW COLUMN
median() { awk "{ print \$$2 }" "$dir/$1" | sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# show TITLE ROW [BESIDE]
show() {
  printf '%-34s %14.0f %14.0f' "$1" "$(median "$2" 1)" "$(median "$2" 2)"
  if [ $# -gt 2 ]; then
    awk "BEGIN { printf \"   %.2fx %.2fx\", $(median "$2" 1) / $(median "$3" 1), $(median "$2" 2) / $(median "$3" 2) }"
  fi
  echo
}

echo "$(nproc) cores, $seconds s a run, median of $rounds; load before: $(cut -d' ' -f1 /proc/loadavg)"
round=0
while [ $round -lt "$rounds" ]; do
  round=$((round + 1))
  run requests wrk with_wrk
  run requests http with_clobber "http://127.0.0.1:$http/" -c 50
  run lines loggen with_loggen -i -S 127.0.0.1 $lines
  run lines bundled with_clobber "tcp://127.0.0.1:$lines" -c 8
  run lines single with_clobber "tcp://127.0.0.1:$lines" -c 8 --bundle 1
  run lines loggen_tls with_loggen -U 127.0.0.1 $tls
  run lines tls with_clobber "tls://127.0.0.1:$tls" -k -c 8
  run lines rate with_clobber "tcp://127.0.0.1:$lines" -c 8 --rate 1M
  # The rate's own lateness stands behind "lateness" in the result.
  late=$(sed -n '/"lateness": {/,/}/s/^ *"p99": \([0-9.e-]*\),*$/\1/p' "$dir/json" | head -n 1)
  echo "$(json ofRequested) $late $(json cpu)" >>"$dir/held"
done

printf '\n%-34s %14s %14s   %s\n' "" "per second" "per CPU second" "beside it (rate, per CPU)"
show "HTTP requests: wrk" wrk
show "HTTP requests: clobber" http wrk
show "lines: loggen" loggen
show "lines: clobber" bundled loggen
show "lines, one per write: clobber" single
show "lines, TLS: loggen" loggen_tls
show "lines, TLS: clobber" tls loggen_tls
show "lines at 1,000,000/s: clobber" rate
printf '%-34s %s of the rate, lateness p99 %s ms, %s processors\n' "  held" "$(median held 1)" "$(median held 2)" \
  "$(median held 3)"
