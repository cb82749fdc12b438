#!/bin/sh
# Measures corndog beside rsyslog and syslog-ng and writes docs/BENCHMARKS.md, with tables and plots.
#
#     sh bench/run.sh [--workloads NAMES] [--reps N] [--seconds S] [--minutes M] [--systems NAMES] [--out FILE]
#
#   --workloads   names or groups, separated by commas; default: all
#                 short is W1,W3,W4,W6,S1,D1,L1,L2; bench.py list has them all
#   --reps        repetitions, 3 by default; systems take turns
#   --seconds     how long each run sends, 5 by default
#   --minutes     after so long nothing is repeated any more; the first repetition is always whole
#   --systems     these alone
#   --out         where the runs are kept, one JSON line each; default bench/results.jsonl, begun anew
#   --no-report   measures, and leaves docs/BENCHMARKS.md as it is
#
# All of it with 2 repetitions of 3 seconds takes about 25 minutes, `--workloads short` half of that. Needs Debian (or
# what has its packages), and root or a sudo that does not ask for what is missing.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
# shellcheck source=tools/toolchain.sh
. "$root/tools/toolchain.sh"

usage() { sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//p;}' "$0"; }

out=bench/results.jsonl
report=wanted
given=
arguments=
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit 0 ;;
    --no-report) report=none ;;
    --workloads | --reps | --seconds | --minutes | --systems | --out | --retries | --max-foreign)
      [ $# -ge 2 ] || { complain "$1 needs a value"; exit 2; }
      case $2 in *[!A-Za-z0-9,._/-]*) complain "$1: $2 has characters that do not belong there"; exit 2 ;; esac
      given="$given $1 $2"
      if [ "$1" = --out ]; then out=$2; else arguments="$arguments $1 $2"; fi
      shift
      ;;
    *) complain "unknown option: $1"; usage >&2; exit 2 ;;
  esac
  shift
done

say "== what is needed"
need python3 python3 || exit 1
need gcc gcc libc6-dev && need make make || exit 1
[ -e /usr/include/zlib.h ] && [ -e /usr/include/openssl/ssl.h ] || debian_install zlib1g-dev libssl-dev || exit 1
need openssl openssl || exit 1
need wrk wrk || say "without wrk there is no H1"
sh bench/peers.sh || say "peers that are missing are left out"
use_bun || exit 1
use_deno || say "without Deno there is no row for it"
[ -d node_modules ] || install_packages || exit 1

say "== building"
make -s -C bench
corndog=${CORNDOG_BINARY:-$root/bench/build/corndog}
[ -n "${CORNDOG_BINARY:-}" ] || bun compile.ts --outfile "$corndog" >/dev/null

say "== measuring"
rm -f "$out"
# shellcheck disable=SC2086 # words without spaces, as checked above
python3 bench/bench.py run --corndog "$corndog" --out "$out" $arguments
if [ "$report" != none ]; then
  say "== stages alone"
  # What became slower is told; it is no reason not to write the page.
  bun bench/stages.ts --record || :
  ! have deno || deno run -A bench/stages.ts --record || :
fi
[ "$report" = none ] || python3 bench/bench.py report "$out" --command "sh bench/run.sh$given"
