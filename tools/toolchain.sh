# Finds or installs what building and testing need. Sourced by install.sh and test/run.sh with $root set to the
# checkout; POSIX sh. Nothing outside .tools/ is touched but by the package manager, and only for what is missing.
# shellcheck shell=sh disable=SC2154

bun_version=1.4.5
deno_version=2.9.6

say() { printf '%s\n' "$*"; }
complain() { printf '%s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# Runs a command as root: directly, or by a sudo that does not ask.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif have sudo && sudo -n true 2>/dev/null; then
    sudo -n "$@"
  else
    return 1
  fi
}

# debian_install PACKAGE...  Installs Debian packages; false where that cannot be done. Its words go to a log.
# Without an fsync for each file (as in Debian's container images) npm's 387 packages take one minute, not four.
debian_install() {
  have apt-get || return 1
  as_root true || return 1
  mkdir -p "$root/.tools"
  say "installing from Debian packages: $*"
  { apt_install "$@" || { as_root apt-get update -q </dev/null && apt_install "$@"; }; } \
    >>"$root/.tools/packages.log" 2>&1 && return 0
  complain "cannot install $*; the end of $root/.tools/packages.log says why:"
  tail -n 5 "$root/.tools/packages.log" >&2
  return 1
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
    -o Dpkg::Options::=--force-unsafe-io "$@" </dev/null
}

# need COMMAND PACKAGE...  True if the command is there, after installing the packages if it was not.
need() {
  have "$1" && return 0
  wanted_command=$1
  shift
  debian_install "$@" && have "$wanted_command"
}

need_npm() {
  need npm nodejs npm && have node && return 0
  complain "npm is missing, and it is where Bun and Deno come from here."
  complain "Install Node.js with npm (Debian, as root: apt-get install nodejs npm) or Bun $bun_version, then run this again."
  return 1
}

# is_version PROGRAM VERSION  True if PROGRAM --version starts with that version (after its name, as Deno prints it).
is_version() {
  reported=$("$1" --version 2>/dev/null | head -n 1) || return 1
  case $reported in
    "$2" | "deno $2" | "deno $2 "*) return 0 ;;
    *) return 1 ;;
  esac
}

# use NAME VERSION  Makes a runtime of exactly this version the one that NAME calls: the one on the PATH if it is
# right, else the one in .tools, else it is installed there from npm.
use() {
  is_version "$1" "$2" && return 0
  PATH="$root/.tools/bin:$PATH"
  export PATH
  [ -x "$root/.tools/bin/$1" ] && is_version "$root/.tools/bin/$1" "$2" && return 0
  need_npm || return 1
  say "installing $1 $2 from npm into .tools"
  mkdir -p "$root/.tools/$1" "$root/.tools/bin"
  (cd "$root/.tools/$1" && npm install --prefix . --no-save --no-package-lock --no-audit --no-fund --loglevel=error "$1@$2" </dev/null) \
    >"$root/.tools/$1.log" 2>&1 || {
    complain "cannot install $1 $2 from npm:"
    tail -n 8 "$root/.tools/$1.log" >&2
    return 1
  }
  # npm may or may not have run the package's install step, which puts the platform's program in place. Without
  # it the program still lies in the platform's own package.
  for candidate in "$root/.tools/$1/node_modules/$1/bin/$1.exe" "$root/.tools/$1/node_modules/$1/$1" \
    "$root/.tools/$1/node_modules"/@oven/*/bin/bun "$root/.tools/$1/node_modules"/@deno/*/deno; do
    if [ -x "$candidate" ] && is_version "$candidate" "$2"; then
      ln -sf "$candidate" "$root/.tools/bin/$1"
      hash -r 2>/dev/null || true
      is_version "$1" "$2"
      return
    fi
  done
  complain "npm installed $1 $2, but no program of it runs on this machine ($(uname -sm))."
  return 1
}

use_bun() { use bun "$bun_version"; }
use_deno() { use deno "$deno_version"; }

# Packages exactly as the lock file has them; the lock file is never rewritten.
install_packages() {
  mkdir -p "$root/.tools"
  (cd "$root" && bun install --frozen-lockfile </dev/null) >"$root/.tools/bun-install.log" 2>&1 && return 0
  complain "cannot install the packages of bun.lock:"
  tail -n 8 "$root/.tools/bun-install.log" >&2
  return 1
}
