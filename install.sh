#!/bin/sh
# Installs corndog: a released binary, verified, or one built from the checkout that this script lies in. POSIX sh.
#
#   sh install.sh [options]                 see --help
#   curl -fsSL $CORNDOG_BASE_URL/latest/download/install.sh | sh -s -- [options]
#
# Everything is in main, which the last line calls: half a script does nothing.

# Where releases are; tools/release.ts writes the place into the copy that it puts beside them.
release_url=''

usage() {
  cat <<'END'
usage: sh install.sh [options]

  --version V          the release V, such as 0.1.0; default: the latest
  --dir DIR            where the binary goes; default $CORNDOG_INSTALL, else bin/ of a checkout, else ~/.local/bin
                       (with --systemd /usr/local/bin)
  --base-url URL       where releases are; default $CORNDOG_BASE_URL, else the project's own
  --target TARGET      linux-x64 linux-arm64 linux-x64-musl linux-arm64-musl darwin-x64 darwin-arm64;
                       default: this machine
  --from-source [DIR]  builds the checkout DIR instead; default: the one this script lies in. That is also what
                       happens without the option where the script lies in a checkout and no release is named
  --systemd            as root: also a user, /etc/corndog, /var/lib/corndog and the service, enabled
  --demo               after installing, runs "corndog demo": realistic traffic against itself, with a dashboard
  --duration TIME      how long the demo runs, such as 30s (the default) or 5m
  --rollback           puts the binary back that the last installation replaced
  --uninstall          removes the binary and the service; configuration and data stay
  --purge              with --uninstall: removes configuration, data and user too
  --dry-run            says what would be done, and does nothing
  --help

A release is checked against its SHA256SUMS and must run before it takes the place of the old binary, which is kept
as corndog.previous. Shell files are never edited.
END
}

say() { printf '%s\n' "$*"; }
have() { command -v "$1" >/dev/null 2>&1; }

die() {
  printf 'install.sh: %s\n' "$1" >&2
  shift
  for cure in "$@"; do printf '  %s\n' "$cure" >&2; done
  exit 1
}

# run COMMAND...  Does it, or with --dry-run says it.
run() {
  if [ -n "$dry" ]; then say "would run: $*"; else "$@"; fi
}

# ---- the machine ----------------------------------------------------------------------------------------------

# Sets target to what this machine runs.
find_target() {
  case $(uname -s) in
    Linux) os=linux ;;
    Darwin) os=darwin ;;
    *) die "corndog does not run on $(uname -s)" "It runs on Linux and macOS; on Windows use WSL." ;;
  esac
  case $(uname -m) in
    x86_64 | amd64) arch=x64 ;;
    aarch64 | arm64) arch=arm64 ;;
    *) die "corndog does not run on $(uname -m)" "It runs on x86-64 and ARM64." ;;
  esac
  # A shell that Rosetta translates says x86_64 on an ARM Mac.
  if [ "$os-$arch" = darwin-x64 ] && [ "$(sysctl -n sysctl.proc_translated 2>/dev/null)" = 1 ]; then arch=arm64; fi
  target=${target:-$os-$arch$(libc_suffix)}
}

# "-musl" where the C library is musl (Alpine).
libc_suffix() {
  [ "$os" = linux ] || return 0
  for loader in /lib/ld-musl-*; do
    if [ -e "$loader" ] && ! [ -e /lib64/ld-linux-x86-64.so.2 ] && ! [ -e /lib/ld-linux-aarch64.so.1 ]; then
      printf '%s' -musl
      return 0
    fi
  done
}

# The nearest directory of dir that exists decides whether the rest can be made.
check_dir() {
  case $dir in
    /*) ;;
    *) dir=$(pwd)/$dir ;;
  esac
  above=$dir
  while [ ! -e "$above" ]; do above=$(dirname "$above"); done
  if [ ! -d "$above" ]; then die "$above is not a directory" "Choose another place: --dir DIR"; fi
  if ! is_writable "$above"; then
    die "cannot write to $above" "Choose another place with --dir DIR, or run this as its owner."
  fi
}

# As root, test -w says yes on a disk that is mounted read-only.
is_writable() {
  [ -w "$1" ] || return 1
  [ -z "$dry" ] || return 0
  (: >"$1/.corndog-write.$$") 2>/dev/null && rm -f "$1/.corndog-write.$$"
}

# ---- a release ------------------------------------------------------------------------------------------------

check_base_url() {
  base_url=${base_url%/}
  case $base_url in
    https://*) ;;
    http://127.* | http://localhost | http://localhost[:/]* | http://\[::1\]*) ;;
    '')
      die "there is no place to download corndog from" \
        "Name one with --base-url URL or CORNDOG_BASE_URL, or clone the repository and run its install.sh."
      ;;
    *) die "will not download from $base_url" "Only https:// is safe (http:// for this machine alone)." ;;
  esac
  if [ -n "$version" ]; then release=$base_url/download/v${version#v}; else release=$base_url/latest/download; fi
}

# fetch URL FILE
fetch() {
  if have curl; then
    case $1 in
      https://*) curl -fsSL --proto '=https' --tlsv1.2 --retry 2 --connect-timeout 20 -o "$2" "$1" ;;
      *) curl -fsSL --connect-timeout 20 -o "$2" "$1" ;;
    esac
  elif have wget; then
    wget -q -T 20 -O "$2" "$1"
  else
    die "neither curl nor wget is here" "Install one of them, then run this again."
  fi
}

sha256_of() {
  if have sha256sum; then sha256sum "$1"
  elif have shasum; then shasum -a 256 "$1"
  elif have openssl; then openssl dgst -sha256 -r "$1"
  else die "nothing here computes SHA-256" "Install coreutils or openssl, then run this again."; fi | cut -d ' ' -f 1
}

# Makes a directory of its own beside the binary, which whatever happens is removed at the end.
make_work() {
  work=$dir/.corndog-install.$$
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  mkdir -p "$dir" || die "cannot make $dir" "Choose another place: --dir DIR"
  mkdir "$work" || die "cannot write to $dir" "Choose another place with --dir DIR, or run this as its owner."
}

# Directories that were made for a binary that did not come go too; rmdir leaves those with something in them.
clean_up() {
  rm -rf "$work"
  [ "$dir" = "$above" ] || (cd "$above" && rmdir -p "${dir#"${above%/}"/}") 2>/dev/null || true
}

download() {
  check_base_url
  if [ -n "$dry" ]; then
    say "would download corndog for $target from $release, check it and put it to $dir/corndog"
    return
  fi
  make_work
  fetch "$release/SHA256SUMS" "$work/SHA256SUMS" || die "cannot download $release/SHA256SUMS" \
    "Is the address right and reachable${version:+, and is there a release $version}?"
  forms=gz
  if have xz; then forms='xz gz'; fi
  archive=
  for form in $forms; do
    archive=$(sed -n "s/^[0-9a-f]\{64\} [ *]\(corndog-[0-9][0-9A-Za-z.+-]*-$target\.tar\.$form\)\$/\1/p" "$work/SHA256SUMS" | head -n 1)
    [ -z "$archive" ] || break
  done
  [ -n "$archive" ] || die "this release has no binary for $target" \
    "It has: $(sed -n 's/.*corndog-[^-]*-\(.*\)\.tar\.gz$/\1/p' "$work/SHA256SUMS" | tr '\n' ' ')" \
    "Build it from a checkout instead: sh install.sh --from-source DIR"
  say "downloading $release/$archive"
  fetch "$release/$archive" "$work/$archive" || die "cannot download $release/$archive" "Nothing was changed; try again."
  expected=$(sed -n "s/^\([0-9a-f]\{64\}\) [ *]$archive\$/\1/p" "$work/SHA256SUMS" | head -n 1)
  got=$(sha256_of "$work/$archive")
  [ "$expected" = "$got" ] || die "$archive is not what the release says it is" \
    "expected SHA-256 $expected" "got      SHA-256 $got" \
    "The download was cut off or somebody changed it. Nothing was changed here; try again."
  case $archive in
    *.xz) xz -dc "$work/$archive" >"$work/archive.tar" ;;
    *) gzip -dc "$work/$archive" >"$work/archive.tar" ;;
  esac || die "cannot unpack $archive" "Is the disk full?"
  (cd "$work" && tar -xf archive.tar) || die "cannot unpack $archive" "Is the disk full?"
  rm -f "$work/archive.tar" "$work/$archive"
  package=$work/${archive%.tar.*}
  fresh=$package/corndog
  [ -f "$fresh" ] || die "$archive has no corndog in it" "Tell whoever made this release."
}

# ---- a checkout -----------------------------------------------------------------------------------------------

is_checkout() { [ -f "$1/compile.ts" ] && [ -f "$1/tools/toolchain.sh" ]; }

# Sets root to the checkout that this script lies in, if it lies in one.
find_checkout() {
  root=${checkout:-$(dirname "$0")}
  root=$(cd "$root" 2>/dev/null && pwd) || die "there is no directory ${checkout:-}" "Name a checkout: --from-source DIR"
  if is_checkout "$root"; then return; fi
  if [ -n "$checkout$source" ]; then
    die "this is not a checkout of corndog: $root" "Clone the repository, then run: sh corndog/install.sh"
  fi
  root=
}

build() {
  # shellcheck source=tools/toolchain.sh
  . "$root/tools/toolchain.sh"
  package=$root/tools/packaging
  if [ -n "$dry" ]; then
    dry_build
    return
  fi
  use_bun || die "Bun $bun_version is needed to build" \
    "Install it any way you like so that \"bun --version\" prints $bun_version, then run this again."
  install_packages || die "the packages could not be installed" "Is the npm registry reachable? Then run this again."
  make_work
  fresh=$work/corndog
  built=$(cd "$root" && bun compile.ts --outfile "$fresh") || die "the build failed" "The lines above say why."
  say "built ${built#*: }"
}

dry_build() {
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
}

# ---- into place -----------------------------------------------------------------------------------------------

# Tries the new binary, keeps the old one, and swaps in one step.
put_into_place() {
  [ -z "$dry" ] || return 0
  chmod 755 "$fresh"
  said=$("$fresh" version 2>"$work/said") || die "the new binary does not run here" "$(head -n 3 "$work/said")" \
    "$(cure_of_binary)" "What was installed before is untouched."
  if [ -e "$dir/corndog" ]; then
    ln -f "$dir/corndog" "$dir/corndog.previous" 2>/dev/null || cp -p "$dir/corndog" "$dir/corndog.previous" ||
      die "cannot keep the old binary as $dir/corndog.previous" "Is the disk full? Nothing was changed."
  fi
  mv -f "$fresh" "$dir/corndog" || die "cannot replace $dir/corndog"
  say "installed $said: $dir/corndog"
}

cure_of_binary() {
  case $target in
    *-musl) say "It needs Alpine 3.20 or later, and there: apk add libstdc++ libgcc" ;;
    *) say "$dir may be mounted noexec (choose another place with --dir DIR), or this is the wrong --target ($target)." ;;
  esac
}

advise_path() {
  case ":$PATH:" in
    *":$dir:"*) ;;
    *) say "to call it by its name:  export PATH=\"$dir:\$PATH\"" ;;
  esac
}

rollback() {
  [ -e "$dir/corndog.previous" ] || die "there is no $dir/corndog.previous to go back to" \
    "Only the binary that the last installation replaced is kept. Name a release: --version V"
  if [ -n "$dry" ]; then
    say "would swap $dir/corndog and $dir/corndog.previous"
    return
  fi
  said=$("$dir/corndog.previous" version) || die "$dir/corndog.previous does not run" "Nothing was changed."
  if [ -e "$dir/corndog" ]; then
    mv -f "$dir/corndog" "$dir/.corndog.swap" && mv -f "$dir/corndog.previous" "$dir/corndog" &&
      mv -f "$dir/.corndog.swap" "$dir/corndog.previous"
  else
    mv -f "$dir/corndog.previous" "$dir/corndog"
  fi
  say "$said is back in place: $dir/corndog (to undo: --rollback again)"
  advise_restart
}

# ---- systemd --------------------------------------------------------------------------------------------------

unit_dir=/etc/systemd/system
config_dir=/etc/corndog
state_dir=/var/lib/corndog

# Whether systemd runs, sd_booted(3).
is_booted() { [ -d /run/systemd/system ]; }

need_systemd() {
  need_root
  have systemctl || [ -n "$dry" ] ||
    die "there is no systemd here" "Install without --systemd, and run corndog under your own supervisor."
  # It goes into the unit as it is.
  case $dir in *[!0-9A-Za-z/_.+-]*) die "systemd would not understand the path $dir" "Choose a plain one: --dir DIR" ;; esac
}

# Sets dir to that of the service, if there is one.
find_service() {
  found=$(sed -n 's|^ExecStart=\(.*\)/corndog run.*$|\1|p' "$unit_dir/corndog.service" 2>/dev/null | head -n 1) || true
  dir=${found:-$dir}
}

need_root() { [ "$(id -u)" = 0 ] || [ -n "$dry" ] || die "--systemd needs root" "Run it with sudo."; }

set_up_systemd() {
  if ! id corndog >/dev/null 2>&1; then
    run useradd --system --home-dir "$state_dir" --no-create-home --shell /usr/sbin/nologin corndog
  fi
  run mkdir -p "$config_dir" "$state_dir"
  run chown corndog: "$state_dir"
  run chmod 750 "$state_dir"
  new_config=
  if [ -e "$config_dir/corndog.yml" ] || [ -e "$config_dir/hotdog.yml" ]; then
    say "keeping the configuration in $config_dir"
  else
    new_config=yes
    run cp "${package:-PACKAGE}/corndog.yml" "$config_dir/corndog.yml"
  fi
  write_units
  if is_booted; then run systemctl daemon-reload; fi
  run systemctl enable corndog.service
  if ! is_booted; then
    say "systemd is not running here (a chroot, a container); the service starts when it boots. Before that:"
    say "  write your brokers into $config_dir/corndog.yml; $dir/corndog check -c $config_dir/corndog.yml"
  elif [ -n "$new_config" ]; then
    say "write your brokers into $config_dir/corndog.yml, check it, then start the service:"
    say "  $dir/corndog check -c $config_dir/corndog.yml && systemctl start corndog"
  else
    advise_restart
  fi
}

# The service, and the sockets that it may have (they are not enabled).
write_units() {
  for unit in corndog.service corndog.socket; do
    if [ -n "$dry" ]; then
      say "would write $unit_dir/$unit"
      continue
    fi
    [ -f "$package/$unit" ] || continue # a release that has none
    sed "s|/usr/local/bin/corndog|$dir/corndog|g" "$package/$unit" >"$unit_dir/.$unit.$$" &&
      mv -f "$unit_dir/.$unit.$$" "$unit_dir/$unit"
  done
}

advise_restart() {
  [ -e "$unit_dir/corndog.service" ] && is_booted || return 0
  say "the service runs the old binary until it is told to take the new one, without a lost line:  corndog upgrade"
  say "  (where the admin API is elsewhere or wants a token: systemctl kill --signal=USR1 --kill-who=main corndog)"
}

uninstall() {
  found=
  if [ -e "$unit_dir/corndog.service" ] && grep -q "$dir/corndog" "$unit_dir/corndog.service"; then
    found=yes
    need_root
    now=
    if is_booted; then now=--now; fi
    if [ -e "$unit_dir/corndog.socket" ]; then run systemctl disable $now corndog.socket || true; fi
    run systemctl disable $now corndog.service || say "the service could not be stopped; going on"
    run rm -f "$unit_dir/corndog.service" "$unit_dir/corndog.socket"
    if is_booted; then run systemctl daemon-reload || true; fi
  fi
  for file in "$dir/corndog" "$dir/corndog.previous"; do
    [ -e "$file" ] || continue
    found=yes
    run rm -f "$file" || die "cannot remove $file"
    [ -n "$dry" ] || say "removed $file"
  done
  if [ -n "$purge" ]; then
    need_root
    for place in "$config_dir" "$state_dir"; do
      [ -e "$place" ] || continue
      found=yes
      run rm -rf "$place"
      [ -n "$dry" ] || say "removed $place"
    done
    if id corndog >/dev/null 2>&1; then run userdel corndog; fi
  else
    say "configuration and data stay where they are"
  fi
  [ -n "$found" ] || say "there is no $dir/corndog"
}

# ---- what was asked for ---------------------------------------------------------------------------------------

misuse() {
  printf 'install.sh: %s\n\n' "$1" >&2
  usage >&2
  exit 2
}

main() {
  set -eu
  umask 022
  dir=${CORNDOG_INSTALL:-}
  base_url=${CORNDOG_BASE_URL:-$release_url}
  checkout='' source='' version='' target='' demo='' duration='' dry='' action=install purge='' systemd='' work=''
  while [ $# -gt 0 ]; do
    case $1 in
      --demo) demo=yes ;;
      --systemd) systemd=yes ;;
      --duration | --dir | --version | --base-url | --target)
        if [ $# -lt 2 ] || [ -z "$2" ]; then misuse "$1 needs a value"; fi
        case $1 in
          --dir) dir=$2 ;;
          --version) version=$2 ;;
          --base-url) base_url=$2 ;;
          --target) target=$2 ;;
          --duration) duration=$2 ;;
        esac
        shift
        ;;
      --from-source)
        source=yes
        case ${2:-} in
          '' | --*) ;;
          *)
            checkout=$2
            shift
            ;;
        esac
        ;;
      --dry-run) dry=yes ;;
      --uninstall) action=uninstall ;;
      --rollback) action=rollback ;;
      --purge) purge=yes ;;
      --help | -h)
        usage
        exit 0
        ;;
      *) misuse "unknown option $1" ;;
    esac
    shift
  done
  if [ -n "$duration" ] && [ -z "$demo" ]; then misuse "--duration is for --demo"; fi
  if [ -n "$purge" ] && [ "$action" != uninstall ]; then misuse "--purge is for --uninstall"; fi
  if [ -n "$source" ] && [ -n "$version" ]; then misuse "--from-source builds what the checkout has; --version is for releases"; fi
  case $version in *[!0-9A-Za-z.+-]*) misuse "$version is no version" ;; esac

  find_checkout
  if [ -z "$dir" ]; then
    if [ -n "$systemd" ]; then dir=/usr/local/bin
    elif [ -n "$root" ]; then dir=$root/bin
    else dir=${HOME:+$HOME/.local/bin}; fi
    # What there is to take away or back may be the service's.
    if [ "$action" != install ] && [ ! -e "$dir/corndog" ]; then find_service; fi
    [ -n "$dir" ] || die "there is no HOME" "Choose a place with --dir DIR."
  fi
  case $action in
    rollback) rollback ;;
    uninstall) uninstall ;;
    install)
      find_target
      check_dir
      if [ -n "$systemd" ]; then need_systemd; fi
      if [ -n "$source" ] || { [ -n "$root" ] && [ -z "$version$base_url" ]; }; then build; else download; fi
      put_into_place
      if [ -n "$systemd" ]; then set_up_systemd; fi
      if [ -n "$work" ]; then rm -rf "$work"; fi
      [ -n "$dry" ] || advise_path
      if [ -n "$demo" ]; then run exec_demo; fi
      ;;
  esac
}

exec_demo() { exec "$dir/corndog" demo ${duration:+--duration "$duration"}; }

main "$@"
