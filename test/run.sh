#!/bin/sh
# Every check and test of corndog, in order, each counted; the last line is "N passed, N failed".
#
#   sh test/run.sh [--no-kafka] [--long] [--only SUITE]...
#
#   --no-kafka     leaves out all that needs a Kafka broker
#   --long         adds the tests that take minutes
#   --only SUITE   runs the named suites: shell format lint types imports packages words generated unit-bun unit-deno
#                  kafka kafka-2 kafka-deno binary binary-deno browser fuzz fuzz-deno, or another folder of test/
#   KAFKA_BROKERS  an existing cluster (host:port,...) to use instead of starting one
#
# What is missing is installed: Bun and Deno from npm into .tools/, the rest from Debian packages (as root, or with
# a sudo that does not ask), Apache Kafka by Maven.
set -u
export NO_COLOR=1

root=$(cd "$(dirname "$0")/.." && pwd) || exit 2
cd "$root" || exit 2
# shellcheck source=tools/toolchain.sh
. "$root/tools/toolchain.sh"

usage() { sed -n '2,/^set -u/{/^set -u/d;s/^# \{0,1\}//p;}' "$0"; }

kafka=wanted
only=
while [ $# -gt 0 ]; do
  case $1 in
    --no-kafka) kafka=none ;;
    --long) export TEST_LONG=1 ;;
    --only)
      [ $# -ge 2 ] || { complain "--only needs a suite"; exit 2; }
      only="$only $2"
      shift
      ;;
    --help | -h) usage; exit 0 ;;
    *) complain "unknown option: $1"; usage >&2; exit 2 ;;
  esac
  shift
done

for name in $only; do
  case $name in
    shell | format | lint | types | imports | packages | words | generated | unit-bun | unit-deno | kafka | kafka-2 | kafka-deno | binary | \
      binary-deno | browser) ;;
    *)
      [ -d "test/${name%-deno}" ] || {
        complain "there is no suite $name; see --help"
        exit 2
      }
      ;;
  esac
done

# Longest time for one suite, seconds. A suite that hangs is a failed suite.
suite_seconds=900
[ -z "${TEST_LONG:-}" ] || suite_seconds=1800

passed=0
failed=0
skipped=0
notes=
work=$(mktemp -d) || exit 2
serve_pid=
started=$(date +%s)
[ "${CI:-}" = true ] && strict=--strict || strict=

# Ends the brokers: their keeper ends when its standard input does.
finish() {
  exec 9>&-
  [ -n "$serve_pid" ] && wait "$serve_pid" 2>/dev/null
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

wants() {
  case " $only " in
    "  ") return 0 ;;
    *" $1 "*) return 0 ;;
    *) return 1 ;;
  esac
}

# remark TEXT  A sentence for the end of the run.
remark() { notes="$notes
  $1"; }

# now  Seconds with one decimal, to show how long a suite took.
now() { date +%s.%N | cut -c1-12; }

# result SUITE PASSED FAILED SKIPPED SINCE [UNTIL]
result() {
  passed=$((passed + $2))
  failed=$((failed + $3))
  skipped=$((skipped + $4))
  words="$2 passed"
  [ "$3" -gt 0 ] && words="$words, $3 FAILED"
  [ "$4" -gt 0 ] && words="$words, $4 skipped"
  printf '%-12s %-36s %7.1f s\n' "$1" "$words" "$(echo "${6:-$(now)} $5" | awk '{ print $1 - $2 }')"
}

# within COMMAND...  Runs it with a time limit, without the descriptor that keeps the brokers alive.
within() {
  case $1 in
    check_scripts) "$@" ;; # a function of this file, which timeout cannot run
    *) timeout -k 10 "$suite_seconds" "$@" 9>&- ;;
  esac
}

# check SUITE COMMAND...  One command, one test, if the suite is wanted.
check() {
  if wants "$1"; then one_test "$@"; fi
}

# one_test NAME COMMAND...
one_test() {
  name=$1
  shift
  since=$(now)
  if within "$@" >"$work/$name.log" 2>&1 </dev/null; then
    result "$name" 1 0 0 "$since"
  else
    tail -n 60 "$work/$name.log"
    result "$name" 0 1 0 "$since"
  fi
}

# suite NAME RUNTIME FILE...  Test files on one runtime; counts come from the runner's JUnit report.
suite() {
  begin_suite "$@"
  end_suite "$1"
}

# pair NAME FOLDER  The tests of a folder on Bun, and at the same time on Deno those that are for both.
pair() {
  # shellcheck disable=SC2046
  begin_suite "$1" bun $(tests_in "$2")
  # shellcheck disable=SC2046
  [ -z "$(for_deno "$2")" ] || begin_suite "$1-deno" deno $(for_deno "$2")
  end_suite "$1"
  end_suite "$1-deno"
}

# begin_suite NAME RUNTIME FILE...  Starts it.
begin_suite() {
  name=$1
  runtime=$2
  shift 2
  wants "$name" || return 0
  [ -f "$1" ] || { remark "suite $name has no test files"; return 0; }
  now >"$work/$name.since"
  echo "$@" >"$work/$name.files"
  (
    # Names of files go without quotes from here on: test files have no spaces in theirs.
    case $runtime in
      bun)
        # Of two hundred files in one global object each leaves some on the heap, until a turn of the loop takes thirty
        # times as long.
        [ "$name" = unit-bun ] && isolate=--isolate || isolate=
        # Paths with ./ are files to Bun; without it they would be filters.
        # shellcheck disable=SC2046,SC2086
        within bun test $isolate --timeout 60000 --reporter=junit --reporter-outfile="$work/$name.xml" $(printf './%s ' "$@")
        ;;
      # The compiled binary is Bun's; Deno runs the sources.
      deno) unset CORNDOG_BINARY && within deno test -A --no-check --frozen --junit-path="$work/$name.xml" "$@" ;;
    esac >"$work/$name.log" 2>&1 </dev/null
    echo "$?" >"$work/$name.code"
    now >"$work/$name.until"
  ) 9>&- &
  echo "$!" >"$work/$name.pid"
}

# end_suite NAME  Waits for its end and counts.
end_suite() {
  name=$1
  [ -f "$work/$name.pid" ] || return 0
  wait "$(cat "$work/$name.pid")"
  code=$(cat "$work/$name.code" 2>/dev/null || echo 1)
  # shellcheck disable=SC2046,SC2086
  counts=$(bun tools/count_tests.ts --suite "$name" --report "$work/$name.xml" --exit "$code" $strict $(cat "$work/$name.files") \
    2>"$work/$name.notes") || counts="0 1 0"
  # shellcheck disable=SC2086
  set -- $counts
  if [ "$2" -gt 0 ]; then
    tail -n 120 "$work/$name.log"
    [ "$code" = 124 ] && echo "  failed: $name did not end within $suite_seconds s"
  fi
  grep -v '^  skipped: ' "$work/$name.notes"
  result "$name" "$1" "$2" "$3" "$(cat "$work/$name.since")" "$(cat "$work/$name.until" 2>/dev/null)"
  grep -h '^fuzz .*: seed ' "$work/$name.log"
  [ "$3" -gt 0 ] && remark "$name skipped $3: $(sed -n 's/^  skipped: //p' "$work/$name.notes" | head -n 3 | paste -sd ';' | cut -c1-160)"
  return 0
}

# ---- set-up ---------------------------------------------------------------------------------------------------

lock_sums() { cksum bun.lock deno.lock package.json; }
locks_before=$(lock_sums)
since=$(now)
mkdir -p "$root/.tools"
if ! { use_bun && use_deno && install_packages; }; then
  complain "The set-up failed, so no test ran."
  echo "0 passed, 1 failed"
  exit 1
fi
need openssl openssl || remark "openssl is missing: tests of TLS fail"
need python3 python3 || remark "python3 is missing: tests that use it as a client fail"
need nc netcat-openbsd || remark "nc is missing: tests that use it as a client fail"
if grep -rqs --include='*_test.ts' rsyslogd test && ! [ -x /usr/sbin/rsyslogd ]; then
  need rsyslogd rsyslog || [ -x /usr/sbin/rsyslogd ] || remark "rsyslogd is missing: tests that use it as a client fail"
fi
if grep -rqs --include='*_test.ts' omelasticsearch test; then
  for module in /usr/lib/*/rsyslog/omelasticsearch.so; do :; done
  [ -f "$module" ] || debian_install rsyslog-elasticsearch ||
    remark "rsyslog's omelasticsearch is missing: the test that uses it as a client fails"
fi
if grep -rqs --include='*_test.ts' syslog_ng test; then
  sh tools/syslog_ng.sh 9>&- || remark "syslog-ng is missing: the test that uses it as a client fails"
fi
# What installs corndog or reads what it generates; the shells that users have.
for program in busybox zsh fish curl wget; do
  need $program $program || remark "$program is missing: tests of install.sh or of completions fail"
done
need groff groff-base || remark "groff is missing: the test of the man page fails"
need xz xz-utils || remark "xz is missing: tests of install.sh fail"
need systemd-analyze systemd || remark "systemd-analyze is missing: the test of the unit fails"
need adduser adduser || remark "adduser is missing: the test of the Debian package fails"
# have_module NAME  rsyslogd looks for its modules there.
have_module() { ls /usr/lib/*/rsyslog/"$1".so >/dev/null 2>&1; }
for module in omrelp:rsyslog-relp lmnsd_gtls:rsyslog-gnutls; do
  if [ -x /usr/sbin/rsyslogd ] && ! have_module "${module%:*}"; then
    debian_install "${module#*:}" || remark "${module#*:} is missing: tests that use it as a client fail"
  fi
done
result set-up 1 0 0 "$since"

# ---- what reads the sources -----------------------------------------------------------------------------------

check_scripts() {
  for script in install.sh test/run.sh test/support/*.sh tools/*.sh bench/*.sh; do
    [ -f "$script" ] || continue
    sh -n "$script" || return 1
  done
  have shellcheck || return 0
  shellcheck -x install.sh test/run.sh test/support/*.sh .ci/run tools/*.sh bench/*.sh
}
check shell check_scripts
check format deno fmt --check
check lint deno lint
check types deno check --frozen src test tools compile.ts bench
check imports bun tools/import_table.ts
check packages bun tools/packages.ts
check words bun tools/words.ts
if wants generated; then
  for generator in tools/build_kernel.ts tools/build_schema.ts tools/build_reference.ts tools/build_kafka_errors.ts; do
    if [ -f "$generator" ]; then one_test "$(basename "$generator" .ts)" bun "$generator" --check; fi
  done
fi

# ---- unit tests -----------------------------------------------------------------------------------------------

# Test files of a folder, relative to the root.
tests_in() { find "$1" -name '*_test.ts' 2>/dev/null | LC_ALL=C sort; }

# Files that say "@runtimes bun deno" in a comment run on Deno as well.
for_deno() { tests_in "$1" | xargs -r grep -l '@runtimes bun deno' | LC_ALL=C sort; }

# Both runtimes at a time: each has a core.
# shellcheck disable=SC2046
{
  begin_suite unit-bun bun $(tests_in test/unit)
  begin_suite unit-deno deno $(tests_in test/unit)
}
end_suite unit-bun
end_suite unit-deno

# ---- a broker -------------------------------------------------------------------------------------------------

# Finds out what brokers can be started here: sets $own to apache, mock or none. Installs what it takes.
choose_kafka() {
  own=none
  if ! need kcat kcat; then
    remark "kcat is missing and cannot be installed here (Debian package kcat), so nothing could be read back."
    return
  fi
  if need java openjdk-17-jre-headless && need mvn maven; then
    if bun test/kafka/harness/classpath.ts >"$work/maven.log" 2>&1; then
      own=apache
      return
    fi
    tail -n 5 "$work/maven.log"
    remark "Maven could not fetch Apache Kafka."
  else
    remark "Java or Maven is missing and cannot be installed here."
  fi
  if need cc gcc libc6-dev && { [ -f /usr/include/librdkafka/rdkafka_mock.h ] || debian_install librdkafka-dev; } &&
    bun test/kafka/harness/mock.ts >"$work/mock.log" 2>&1; then
    own=mock
  fi
}

# Starts the brokers of this run and exports their addresses.
serve_kafka() {
  mkfifo "$work/keeper"
  bun test/kafka/harness/serve.ts "$work/kafka.json" <"$work/keeper" >"$work/serve.log" 2>&1 9>&- &
  serve_pid=$!
  exec 9>"$work/keeper"
  while ! [ -f "$work/kafka.json" ]; do
    if ! kill -0 "$serve_pid" 2>/dev/null; then
      tail -n 20 "$work/serve.log"
      serve_pid=
      return 1
    fi
    sleep 0.2
  done
  TEST_KAFKA=$(cat "$work/kafka.json")
  export TEST_KAFKA
}

# shares_brokers  True if a suite is wanted that uses the brokers of this run; chaos and soak start and harm their own.
shares_brokers() {
  for name in kafka kafka-2 kafka-deno crash crash-deno binary binary-deno browser; do
    wants $name && return 0
  done
  return 1
}

how_to_get="The real thing needs Java 17, Maven and kcat (Debian, as root: apt-get install openjdk-17-jre-headless maven kcat),
  or a cluster named by KAFKA_BROKERS=host:port, and kcat."

own=none
if [ "$kafka" = none ]; then
  unset KAFKA_BROKERS
  remark "Tests that need a Kafka broker were left out (--no-kafka)."
elif wants kafka || wants kafka-2 || wants kafka-deno || wants chaos || wants soak || wants crash || wants crash-deno || wants binary || wants binary-deno || wants browser; then
  since=$(now)
  choose_kafka
  if [ -n "${KAFKA_BROKERS:-}" ]; then
    remark "The tests used the cluster $KAFKA_BROKERS; those that harm brokers started their own."
    result broker 1 0 0 "$since"
  elif [ "$own" = none ]; then
    kafka=none
    remark "There was no broker: tests that need one were left out. $how_to_get"
    [ -z "$strict" ] || result broker 0 1 0 "$since"
  elif [ "$own" = apache ] && ! shares_brokers; then
    result broker 1 0 0 "$since"
  elif ! serve_kafka; then
    kafka=none
    own=none
    result broker 0 1 0 "$since"
  elif [ "$own" = mock ]; then
    remark "The broker was librdkafka's mock cluster: what it cannot do was skipped. $how_to_get"
    if [ -z "$strict" ]; then
      result broker 1 0 0 "$since"
    else
      remark "CI demands the real broker."
      result broker 0 1 0 "$since"
    fi
  else
    result broker 1 0 0 "$since"
  fi
fi
export TEST_KAFKA_KIND="$own"

# ---- everything else --------------------------------------------------------------------------------------------

for folder in test/*/; do
  folder=$(basename "$folder")
  case $folder in
    unit | kafka | binary | browser | crash) continue ;;
    chaos) [ "$kafka" = none ] && continue ;;
    # Ten minutes at least.
    soak) { [ "$kafka" != none ] && [ -n "$only${TEST_LONG:-}" ]; } || continue ;;
  esac
  [ -n "$(tests_in "test/$folder")" ] || continue
  pair "$folder" "test/$folder"
done
# They wait for brokers more than they compute: about half of them, which measure nothing, run beside the others.
beside="harness|security|authorization|dead_letter_crash|dead_letter|records|records_through|secrets|http|compression"
# shellcheck disable=SC2046
[ "$kafka" = none ] || {
  begin_suite kafka bun $(tests_in test/kafka | grep -Ev "/($beside)_test.ts$")
  begin_suite kafka-2 bun $(tests_in test/kafka | grep -E "/($beside)_test.ts$")
  begin_suite kafka-deno deno $(for_deno test/kafka)
  end_suite kafka
  end_suite kafka-2
  end_suite kafka-deno
}
# On Bun they test the compiled binary, on Deno the sources.
if wants binary || wants crash; then
  one_test compile bun compile.ts --outfile "$work/corndog"
  export CORNDOG_BINARY="$work/corndog"
fi
pair binary test/binary
[ "$kafka" = none ] || pair crash test/crash
unset CORNDOG_BINARY
# shellcheck disable=SC2046
{
  if [ -n "$(tests_in test/browser)" ] && wants browser; then
    if need chromium chromium; then
      suite browser bun $(tests_in test/browser)
    elif [ -n "$strict" ]; then
      remark "CI demands Chromium (Debian package chromium), and it cannot be installed here"
      failed=$((failed + 1))
    else
      remark "Chromium is missing and cannot be installed here (Debian package chromium): the browser tests were left out."
    fi
  fi
}

if [ "$(lock_sums)" = "$locks_before" ]; then
  passed=$((passed + 1))
else
  failed=$((failed + 1))
  remark "bun.lock, deno.lock or package.json was rewritten by this run"
fi

[ -n "$notes" ] && printf 'Notes:%s\n' "$notes"
[ "$skipped" -gt 0 ] && echo "$skipped skipped"
echo "took $(($(date +%s) - started)) s"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
