"""What the machine says: CPU and memory of processes, CPU of everybody, who it is and which versions run on it."""
import os, platform, re, resource, shutil, signal, subprocess, time

TICK = os.sysconf("SC_CLK_TCK")


def tree(pid):
    """pid and all its descendants"""
    out, todo = [], [pid]
    while todo:
        p = todo.pop()
        out.append(p)
        try:
            for t in os.listdir(f"/proc/{p}/task"):
                with open(f"/proc/{p}/task/{t}/children") as f:
                    todo += map(int, f.read().split())
        except OSError:
            pass
    return out


def usage(pid):
    """(user s, system s, sum of peak RSS in MiB) of a process tree"""
    u = s = rss = 0
    for p in tree(pid):
        try:
            with open(f"/proc/{p}/stat") as f:
                v = f.read().rsplit(")", 1)[1].split()
            u += int(v[11]) / TICK
            s += int(v[12]) / TICK
            with open(f"/proc/{p}/status") as f:
                rss += next((int(l.split()[1]) for l in f if l.startswith("VmHWM")), 0) / 1024
        except OSError:
            pass
    return u, s, rss


def busy():
    """busy CPU seconds of the whole machine, and stolen ones"""
    with open("/proc/stat") as f:
        v = [int(x) / TICK for x in f.readline().split()[1:9]]
    return v[0] + v[1] + v[2] + v[5] + v[6] + v[7], v[7]


def end(proc, seconds=10):
    """SIGTERM, then SIGKILL, to this one child and what it started; returns (seconds it took, killed?)"""
    t = time.monotonic()
    if proc.poll() is None:
        proc.send_signal(signal.SIGTERM)
        try:
            proc.wait(seconds)
        except subprocess.TimeoutExpired:
            for p in tree(proc.pid):
                try:
                    os.kill(p, signal.SIGKILL)
                except OSError:
                    pass
            proc.wait()
            return time.monotonic() - t, True
    return time.monotonic() - t, False


def wait_for(cond, seconds, step=0.02):
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if cond():
            return True
        time.sleep(step)
    return False


def descriptors(wanted=None):
    """Sets the soft limit of file descriptors for what is started from now on; the hard one bounds it. Returns it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    limit = hard if wanted is None or (hard != resource.RLIM_INFINITY and wanted > hard) else wanted
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return limit


def _say(*command):
    try:
        out = subprocess.run(command, capture_output=True, text=True, timeout=20)
        return (out.stdout or out.stderr).strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def _first(text, pattern):
    found = re.search(pattern, text)
    return found.group(1) if found else None


def machine():
    """The machine, for people."""
    with open("/proc/cpuinfo") as f:
        model = _first(f.read(), r"model name\s*: (.*)") or platform.machine()
    with open("/proc/meminfo") as f:
        memory = int(_first(f.read(), r"MemTotal:\s*(\d+)")) / 1024 / 1024
    system = _first(_say("cat", "/etc/os-release"), r'PRETTY_NAME="(.*)"') or platform.system()
    return dict(processor=" ".join(model.split()), cores=os.cpu_count(), memory=f"{memory:.0f} GiB", system=system,
                kernel=platform.release().split("-")[0], architecture=platform.machine())


def versions(corndog, syslog_ng, syslog_ng_env):
    """What was measured. `corndog` and `syslog_ng` are paths."""
    try:
        ng = subprocess.run([syslog_ng, "-V"], capture_output=True, text=True, timeout=20, env={**os.environ, **syslog_ng_env}).stdout
    except OSError:
        ng = ""
    return {
        "corndog": _say(corndog, "version").split("\n")[0],
        "deno": _first(_say(shutil.which("deno") or "deno", "--version"), r"deno ([\w.+-]+)"),
        "rsyslog": _first(_say("/usr/sbin/rsyslogd", "-v"), r"rsyslogd\s+(\S+)"),
        "syslog-ng": _first(ng, r"syslog-ng \d+ \(([\d.]+)\)") or _first(ng, r"Installer-Version: (\S+)"),
        "librdkafka": _say("dpkg-query", "-W", "-f", "${Version}", "librdkafka1"),
        "wrk": _first(_say("wrk", "-v"), r"wrk (?:debian/)?(\S+)"),
    }
