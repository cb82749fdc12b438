#!/bin/sh
# Gets syslog-ng with its http() for tests. It conflicts with rsyslog in dpkg, so that its packages are unpacked into a
# folder, .tools/syslog-ng, and only the libraries that they need are installed. What is there is left alone.
#
#   sh tools/syslog_ng.sh         gets it
#   .tools/syslog-ng/run ...      runs it, with its own libraries and modules
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tools/toolchain.sh
. "$root/tools/toolchain.sh"

dir="$root/.tools/syslog-ng"
[ ! -x "$dir/run" ] || exit 0
have apt-get || { complain "syslog-ng comes from Debian packages, and there is no apt-get"; exit 1; }
rm -rf "$dir"
mkdir -p "$dir/debs"

# download PACKAGE...  From the lists as they are, else from fresh ones.
download() {
  (cd "$dir/debs" && { apt-get download -q "$@" || { as_root apt-get update -q && apt-get download -q "$@"; }; }) \
    >>"$root/.tools/packages.log" 2>&1
}
download syslog-ng-core syslog-ng-mod-http || { complain "cannot download syslog-ng"; exit 1; }

libraries=$(for deb in "$dir"/debs/*.deb; do dpkg-deb -f "$deb" Depends; done |
  tr ',' '\n' | sed -n 's/^ *\(lib[a-z0-9.+-]*\).*/\1/p' | sort -u)
missing=
for library in $libraries; do
  dpkg-query -W -f '${Status}' "$library" 2>/dev/null | grep -q 'ok installed' || missing="$missing $library"
done
# shellcheck disable=SC2086 # package names
[ -z "$missing" ] || debian_install $missing || exit 1

for deb in "$dir"/debs/*.deb; do dpkg-deb -x "$deb" "$dir/root"; done
rm -rf "$dir/debs"
cat >"$dir/run.new" <<'RUN'
#!/bin/sh
# Runs syslog-ng from this folder.
here=$(cd "$(dirname "$0")" && pwd)/root
for modules in "$here"/usr/lib/*/syslog-ng/[0-9]* "$here"/usr/lib/syslog-ng/[0-9]*; do
  [ -d "$modules" ] && break
done
LD_LIBRARY_PATH=$(dirname "$modules")${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
exec "$here/usr/sbin/syslog-ng" --module-path="$modules" "$@"
RUN
chmod +x "$dir/run.new"
mv "$dir/run.new" "$dir/run"
"$dir/run" --version | head -n 1
