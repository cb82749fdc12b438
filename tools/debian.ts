/**
 * The control files of the Debian package.
 *
 * @module
 */
import type { TarEntry } from "./archive.ts";

/** deb-control(5). `kilobytes` is the installed size. */
export function debianControl(version: string, architecture: string, kilobytes: number): string {
  return `Package: corndog
Version: ${version.replace("-", "~")}
Architecture: ${architecture}
Maintainer: the corndog maintainers <corndog@localhost>
Installed-Size: ${kilobytes}
Depends: libc6 (>= 2.31), adduser
Section: admin
Priority: optional
Description: edge log forwarder, syslog in, Apache Kafka out
 corndog takes log lines over syslog, decides by rules which Kafka topic each
 belongs to and in what form, and keeps account of every one of them.
`;
}

/**
 * A version that comes after another takes over from the running process (SIGUSR1), which loses no line. What fails is
 * told by the status that systemd shows; the old process then goes on, and so does dpkg.
 */
const postinst = `#!/bin/sh
set -e

shown() { systemctl show --property="$1" --value corndog.service; }

take_over() {
  old=$(shown MainPID)
  [ "$old" != 0 ] || return 0
  systemctl kill --signal=USR1 --kill-who=main corndog.service || return 0
  tries=0
  while [ "$(shown MainPID)" = "$old" ]; do
    tries=$((tries + 1))
    case $tries:$(shown StatusText) in
      *":Upgrade failed"* | 350:*)
        echo "corndog: the old version goes on running; journalctl -u corndog says why. Then: corndog upgrade" >&2
        return 0
        ;;
    esac
    sleep 0.2
  done
}

if [ "$1" = configure ]; then
  if ! getent passwd corndog >/dev/null; then
    adduser --system --group --quiet --home /var/lib/corndog --no-create-home corndog
  fi
  if [ -z "$2" ] && command -v systemctl >/dev/null; then systemctl enable --quiet corndog.service || true; fi
  if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || true
    if [ -n "$2" ]; then take_over; fi
  fi
fi
`;

const prerm = `#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl stop corndog.socket corndog.service || true
fi
`;

/** Whether the service is enabled outlives a removal, as the configuration does, and ends with a purge. */
const postrm = `#!/bin/sh
set -e
if [ "$1" = purge ]; then
  rm -f /etc/systemd/system/*.target.wants/corndog.service /etc/systemd/system/*.target.wants/corndog.socket
  rm -rf /var/lib/corndog
  if getent passwd corndog >/dev/null; then deluser --system --quiet corndog || true; fi
fi
if [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi
`;

/** What dpkg runs, deb-postinst(5) and its like. The service is not started: it has no brokers yet. */
export function debianScripts(): TarEntry[] {
  return Object.entries({ postinst, prerm, postrm }).map(([name, script]) => ({
    path: `./${name}`,
    bytes: new TextEncoder().encode(script),
    mode: 0o755,
  }));
}
