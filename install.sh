#!/bin/sh
# Installs corndog: builds the one binary from this checkout and puts it into place. POSIX sh.
#
#   sh install.sh [--demo [--duration 30s]] [--dir DIR] [--from-source [CHECKOUT]] [--dry-run] [--uninstall] [--help]
#
# Everything is in main, which the last line calls: half a script does nothing.

usage() {
  cat <<'END'
usage: sh install.sh [options]

  --demo               after installing, runs "corndog demo": realistic traffic against itself, with a dashboard
  --duration TIME      how long the demo runs, such as 30s (the default) or 5m
  --dir DIR            where the binary goes; default $CORNDOG_INSTALL, else bin/ of the checkout
  --from-source [DIR]  builds the checkout DIR; default: the one this script lies in. There are no releases yet,
                       so this is also what happens without the option
  --dry-run            says what would be done, and does nothing
  --uninstall          removes the binary from DIR
  --help

Bun 1.4.5 is used if it is on the PATH, else it is installed from npm into .tools/ of the checkout. Nothing else on
the machine is changed, except that a missing npm is installed from Debian packages when this runs as root.
END
}

die() {
  printf 'install.sh: %s\n' "$1" >&2
  shift
  for cure in "$@"; do printf '  %s\n' "$cure" >&2; done
  exit 1
}

# Sets root to the checkout, or says how to get one.
find_checkout() {
  root=${checkout:-$(dirname "$0")}
  root=$(cd "$root" 2>/dev/null && pwd) || die "there is no directory ${checkout:-}" "Name a checkout: --from-source DIR"
  if [ ! -f "$root/compile.ts" ] || [ ! -f "$root/tools/toolchain.sh" ]; then
    die "this is not a checkout of corndog: $root" \
      "There are no released binaries to download yet; corndog is built from its sources." \
      "Clone the repository, then run: sh corndog/install.sh"
  fi
}

check_machine() {
  case $(uname -s) in
    Linux | Darwin) ;;
    *) die "corndog does not run on $(uname -s)" "It runs on Linux and macOS; on Windows use WSL." ;;
  esac
  case $(uname -m) in
    x86_64 | amd64 | aarch64 | arm64) ;;
    *) die "corndog does not run on $(uname -m)" "It runs on x86-64 and ARM64." ;;
  esac
}

check_dir() {
  case $dir in
    /*) ;;
    *) dir=$(pwd)/$dir ;;
  esac
  # The nearest directory that exists decides whether the rest can be made.
  above=$dir
  while [ ! -e "$above" ]; do above=$(dirname "$above"); done
  if [ ! -d "$above" ]; then die "$above is not a directory" "Choose another place: --dir DIR"; fi
  if [ ! -w "$above" ]; then die "cannot write to $above" "Choose another place with --dir DIR, or run this as its owner."; fi
}

dry_run() {
  if is_version bun "$bun_version"; then
    say "would use Bun $bun_version: $(command -v bun)"
  elif [ -x "$root/.tools/bin/bun" ] && is_version "$root/.tools/bin/bun" "$bun_version"; then
    say "would use Bun $bun_version: $root/.tools/bin/bun"
  else
    have npm || say "would install nodejs and npm from Debian packages"
    say "would install Bun $bun_version from npm into $root/.tools"
  fi
  say "would install the packages of $root/bun.lock into $root/node_modules"
  say "would build $dir/corndog"
  [ -z "$demo" ] || say "would run corndog demo${duration:+ --duration $duration}"
}

build() {
  use_bun || die "Bun $bun_version is needed to build" \
    "Install it any way you like so that \"bun --version\" prints $bun_version, then run this again."
  install_packages || die "the packages could not be installed" "Is the npm registry reachable? Then run this again."
  mkdir -p "$dir" || die "cannot make $dir" "Choose another place: --dir DIR"
  fresh="$dir/.corndog.$$"
  trap 'rm -f "$fresh"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  built=$(cd "$root" && bun compile.ts --outfile "$fresh") || die "the build failed" "The lines above say why."
  say "built ${built#*: }"
  said=$("$fresh" version) || die "the new binary does not run" \
    "$dir may be mounted noexec: choose another place with --dir DIR." "What was installed before is untouched."
  mv -f "$fresh" "$dir/corndog" || die "cannot replace $dir/corndog"
  trap - EXIT
  say "installed $said: $dir/corndog"
}

advise_path() {
  case ":$PATH:" in
    *":$dir:"*) ;;
    *) say "to call it by its name:  export PATH=\"$dir:\$PATH\"" ;;
  esac
}

uninstall() {
  if [ ! -e "$dir/corndog" ]; then
    echo "there is no $dir/corndog"
  elif [ -n "$dry" ]; then
    echo "would remove $dir/corndog"
  else
    rm -f "$dir/corndog" || die "cannot remove $dir/corndog"
    echo "removed $dir/corndog; configuration and data stay where they are"
  fi
}

main() {
  set -eu
  dir=${CORNDOG_INSTALL:-}
  checkout='' demo='' duration='' dry='' remove=''
  while [ $# -gt 0 ]; do
    case $1 in
      --demo) demo=yes ;;
      --duration | --dir)
        if [ $# -lt 2 ] || [ -z "$2" ]; then die "$1 needs a value" "See --help."; fi
        if [ "$1" = --dir ]; then dir=$2; else duration=$2; fi
        shift
        ;;
      --from-source)
        case ${2:-} in
          '' | --*) ;;
          *)
            checkout=$2
            shift
            ;;
        esac
        ;;
      --dry-run) dry=yes ;;
      --uninstall) remove=yes ;;
      --help | -h)
        usage
        exit 0
        ;;
      *)
        printf 'install.sh: unknown option %s\n\n' "$1" >&2
        usage >&2
        exit 2
        ;;
    esac
    shift
  done
  [ -z "$duration" ] || [ -n "$demo" ] || die "--duration is for --demo"

  if [ -n "$remove" ] && [ -n "$dir" ]; then
    uninstall
    exit 0
  fi
  find_checkout
  # shellcheck source=tools/toolchain.sh
  . "$root/tools/toolchain.sh"
  : "${dir:=$root/bin}"
  if [ -n "$remove" ]; then
    uninstall
    exit 0
  fi
  check_machine
  check_dir
  if [ -n "$dry" ]; then
    dry_run
    exit 0
  fi
  build
  advise_path
  if [ -n "$demo" ]; then exec "$dir/corndog" demo ${duration:+--duration "$duration"}; fi
}

main "$@"
