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

const postinst = `#!/bin/sh
set -e
if [ "$1" = configure ]; then
  if ! getent passwd corndog >/dev/null; then
    adduser --system --group --quiet --home /var/lib/corndog --no-create-home corndog
  fi
  if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || true
    if [ -n "$2" ]; then systemctl try-restart corndog.service || true; fi
  fi
fi
`;

const prerm = `#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then systemctl disable --now corndog.service || true; fi
`;

const postrm = `#!/bin/sh
set -e
if [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi
if [ "$1" = purge ]; then
  rm -rf /var/lib/corndog
  if getent passwd corndog >/dev/null; then deluser --system --quiet corndog || true; fi
fi
`;

/** What dpkg runs, deb-postinst(5) and its like. The service is not started: it has no brokers yet. */
export function debianScripts(): TarEntry[] {
  return Object.entries({ postinst, prerm, postrm }).map(([name, script]) => ({
    path: `./${name}`,
    bytes: new TextEncoder().encode(script),
    mode: 0o755,
  }));
}
