#!/usr/bin/env python3
"""Runs syslog->Kafka forwarders through the same workloads and tables the results.

    bench.py run   --systems rsyslog,syslog-ng --workloads W1,L1 --reps 3 --out results.jsonl
    bench.py table results.jsonl [more.jsonl ...]        # markdown, medians over the runs
    bench.py list

A system is an entry of systems.json (command, environment, optional config template); the
strings @@PORT@@ @@BROKER@@ @@MODE@@ @@DIR@@ @@CONF@@ @@CERT@@ @@KEY@@ @@MAXCONN@@ @@PEERS@@ @@CORNDOG@@ are filled in.
Repetitions are interleaved (rep, workload, system), so drift of the machine hits all alike.
Every timed run holds an exclusive lock on --lock, one system is alive at a time, and only
processes started here are ended, by pid.
"""
import argparse, fcntl, json, os, shutil, signal, socket, statistics, subprocess, sys, tempfile, time, urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
PORT, KPORT, CPORT = 15514, 19092, 19093
TICK = os.sysconf("SC_CLK_TCK")

# mode: what the forwarder has to do (raw line / parse syslog to JSON / JSON body to a topic per app / raw over TLS)
# slow: system asked for a smaller number of lines through "scale" in systems.json
WORKLOADS = {
    "W1": dict(text="200 B RFC5424, 4 connections, blast, line forwarded as it is", mode="raw", conns=4, lines=2_000_000, size=200, fmt="rfc5424"),
    "W2": dict(text="as W1 with 500 connections", mode="raw", conns=500, lines=2_000_000, size=200, fmt="rfc5424"),
    "W3": dict(text="300 B JSON in RFC5424, topic from a JSON field (8 topics), 4 connections, blast", mode="json", conns=4, lines=1_000_000, size=300, fmt="json"),
    "W4": dict(text="as W1 over TLS", mode="tls", conns=4, lines=1_500_000, size=200, fmt="rfc5424"),
    "W5": dict(text="50k lines/s, 4 connections, broker away 3 s..8 s", mode="raw", conns=4, lines=600_000, size=200, fmt="rfc5424", rate=50_000, outage=(3.0, 5.0), stall=8),
    "W5b": dict(text="blast, 4 connections, broker away 1 s..6 s", mode="raw", conns=4, lines=5_000_000, size=200, fmt="rfc5424", outage=(1.0, 5.0), stall=8),
    "W6": dict(text="200 B RFC5424 parsed and written as JSON, 4 connections, blast", mode="parsed", conns=4, lines=1_000_000, size=200, fmt="rfc5424"),
    "W7": dict(text="200 B, hotdog's three rules (greeting rewritten, JSON with meta.topic merged and routed, the rest), 4 connections, blast", mode="hotdog", conns=4, lines=1_000_000, size=200, fmt="mixed"),
    "R1": dict(text="W1 at 1,050,000 lines/s for 8 s", mode="raw", conns=4, lines=8_000_000, size=200, fmt="rfc5424", rate=1_050_000),
    "R7": dict(text="W7 at 420,000 lines/s for 10 s", mode="hotdog", conns=4, lines=4_200_000, size=200, fmt="mixed", rate=420_000),
    "L1": dict(text="50k lines/s open loop, 4 connections", mode="raw", conns=4, lines=400_000, size=200, fmt="rfc5424", rate=50_000),
    "L2": dict(text="50k lines/s open loop, 500 connections", mode="raw", conns=500, lines=400_000, size=200, fmt="rfc5424", rate=50_000),
    "L0": dict(text="5k lines/s open loop, 4 connections", mode="raw", conns=4, lines=30_000, size=200, fmt="rfc5424", rate=5_000),
}


def http(path, timeout=5):
    with urllib.request.urlopen(f"http://127.0.0.1:{CPORT}{path}", timeout=timeout) as r:
        return json.load(r)


def port_open(port):
    with socket.socket() as s:
        s.settimeout(0.5)
        return s.connect_ex(("127.0.0.1", port)) == 0


def wait_for(cond, seconds, step=0.02):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if cond():
            return True
        time.sleep(step)
    return False


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


def machine():
    """busy CPU seconds of the whole machine, and stolen ones"""
    with open("/proc/stat") as f:
        v = [int(x) / TICK for x in f.readline().split()[1:9]]
    return v[0] + v[1] + v[2] + v[5] + v[6] + v[7], v[7]


def end(proc, seconds=10):
    """SIGTERM, then SIGKILL, to this one child; returns (seconds it took, killed?)"""
    t = time.monotonic()
    if proc.poll() is None:
        proc.send_signal(signal.SIGTERM)
        try:
            proc.wait(seconds)
        except subprocess.TimeoutExpired:
            kids = tree(proc.pid)
            for p in kids:
                try:
                    os.kill(p, signal.SIGKILL)
                except OSError:
                    pass
            proc.wait()
            return time.monotonic() - t, True
    return time.monotonic() - t, False


def sender(w, lines, conns, base=0, rate=None):
    cmd = [f"{HERE}/sendlines", "--port", str(PORT), "--conns", str(conns), "--lines", str(lines), "--size", str(w["size"]),
           "--format", w["fmt"], "--framing", w.get("framing", "nl"), "--conn-base", str(base), "--linger", "1000"]
    if rate:
        cmd += ["--rate", str(rate)]
    if w["mode"] == "tls":
        cmd += ["--tls", "--ca", f"{HERE}/tls/cert.pem", "--sni", "localhost"]
    return subprocess.Popen(cmd, stdout=subprocess.PIPE, text=True)


def one_run(name, system, wname, args):
    w = dict(WORKLOADS[wname])
    scale = args.scale * (1 if w.get("rate") else system.get("scale", 1))
    lines = int(w["lines"] * scale)
    conns = w["conns"]
    run = tempfile.mkdtemp(prefix=f"{name}-{wname}-", dir=args.rundir)
    sub = {"PORT": str(PORT), "BROKER": f"127.0.0.1:{KPORT}", "MODE": w["mode"], "DIR": run, "CONF": f"{run}/conf",
           "CERT": f"{HERE}/tls/cert.pem", "KEY": f"{HERE}/tls/key.pem", "MAXCONN": str(conns + 16), "PEERS": args.peers,
           "CORNDOG": args.corndog}

    def fill(text):
        for k, v in sub.items():
            text = text.replace(f"@@{k}@@", v)
        return text

    res = dict(system=name, workload=wname, lines=lines, conns=conns, ack_ms=args.ack_ms, when=time.time())
    if "conf" in system:
        src = os.path.join(HERE, fill(system["conf"]))
        if not os.path.exists(src):
            return dict(res, skipped="no config for this mode")
        with open(src) as f, open(f"{run}/conf", "w") as g:
            g.write(fill(f.read()))
    elif w["mode"] not in system.get("modes", [w["mode"]]):
        return dict(res, skipped="mode not supported")

    sink = sut = snd = None
    try:
        seqs = lines // conns + 1
        sink = subprocess.Popen([f"{HERE}/ksink", "--port", str(KPORT), "--ctl", str(CPORT), "--ack-ms", str(args.ack_ms),
                                 "--partitions", str(args.partitions), "--verify", f"{conns},{seqs}", "--quiet"],
                                stdout=open(f"{run}/sink.out", "w"), stderr=open(f"{run}/sink.err", "w"))
        if not wait_for(lambda: port_open(CPORT), 5):
            raise RuntimeError("sink did not start")
        sut = subprocess.Popen([fill(c) for c in system["cmd"]], cwd=HERE, env={**os.environ, **{k: fill(v) for k, v in system.get("env", {}).items()}},
                               stdout=open(f"{run}/sut.out", "w"), stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        if not wait_for(lambda: port_open(PORT) or sut.poll() is not None, 15) or sut.poll() is not None:
            raise RuntimeError("system did not start: " + open(f"{run}/sut.out").read()[-500:])

        # warm-up: connections to the broker, topic metadata, JIT.  Marked ids, not measured.
        warm = int(args.warm * system.get("scale", 1))
        snd = sender(w, warm, min(conns, 4), base=0x8000)
        snd.communicate(timeout=30)
        seen = [0, time.monotonic()]

        def warmed():
            n = http("/stats")["warmup"]
            if n != seen[0]:
                seen[:] = [n, time.monotonic()]
            return n >= warm or time.monotonic() - seen[1] > 3
        wait_for(warmed, 20, 0.05)
        time.sleep(0.5)
        idle_rss = usage(sut.pid)[2]

        u0, s0, _ = usage(sut.pid)
        k0, m0, own0 = http("/stats"), machine(), sum(os.times()[:2])
        begin = time.monotonic()
        snd = sender(w, lines, conns, rate=w.get("rate"))
        outage, down_at = w.get("outage"), None
        last, last_change, samples, late = -1, time.monotonic(), [], None
        sender_end = None
        while True:
            now = time.monotonic()
            if outage and down_at is None and now - begin >= outage[0]:
                http(f"/down?ms={int(outage[1] * 1000)}")
                down_at = now - begin
            st = http("/stats")
            if st["unique"] != last:
                last, last_change = st["unique"], now
            samples.append((round(now - begin, 3), st["unique"]))
            if sender_end is None and snd.poll() is not None:
                sender_end = now - begin
            if st["unique"] >= lines:
                break
            quiet = now - max(last_change, begin + (sum(outage) if outage else 0))
            if sender_end is not None and quiet > w.get("stall", 8):
                break
            if now - begin > args.limit:
                late = "time limit"
                break
            if sut.poll() is not None:
                late = f"system ended, rc {sut.returncode}"
                break
            time.sleep(0.05)
        u1, s1, rss = usage(sut.pid)
        m1, own1, took = machine(), sum(os.times()[:2]), time.monotonic() - begin
        if snd.poll() is None and late:
            snd.send_signal(signal.SIGTERM)
        out = snd.communicate(timeout=20)[0]
        sj = json.loads(out) if out.strip() else {}
        k1 = http("/stats")
        exit_s, killed = end(sut, 12)
        k2 = http("/stats")
        n = k2["unique"]                                             # what came during the shutdown counts, and is told
        span = (k2["last_new_ns"] - sj["first_ns"]) / 1e9 if sj else None
        if n > k1["unique"]:
            late = f"{n - k1['unique']} lines arrived only at shutdown" + (f", {late}" if late else "")
        res.update(
            seconds=span, lines_per_s=n / span if span else None, mb_per_s=n * w["size"] / span / 1e6 if span else None,
            cpu_user=u1 - u0, cpu_sys=s1 - s0, cpu_per_mline=(u1 - u0 + s1 - s0) / max(k1["unique"], 1) * 1e6,
            cpu_sink=k1["cpu_user"] + k1["cpu_sys"] - k0["cpu_user"] - k0["cpu_sys"], cpu_sender=sj.get("cpu_user", 0) + sj.get("cpu_sys", 0),
            rss_mib=rss, rss_idle_mib=idle_rss, lost=lines - k2["unique"], lost_before_exit=lines - k1["unique"], duplicates=k2["duplicates"],
            reordered=k2["reordered"], requests=k1["requests"] - k0["requests"], batches=k1["batches"] - k0["batches"],
            lat=k1.get("latency_ms"), crc_bad=k2["crc_bad"], malformed=k2["malformed"], too_large=k2["too_large"], no_marker=k2["no_marker"], bad_id=k2["bad_id"],
            value_min=k2["value_min"], value_max=k2["value_max"], warm_lost=warm - k2["warmup"], topics=len(k2["topics"]),
            cpu_foreign=(m1[0] - m0[0] - (u1 - u0 + s1 - s0) - (own1 - own0) - (k1["cpu_user"] + k1["cpu_sys"] - k0["cpu_user"] - k0["cpu_sys"])
                         - sj.get("cpu_user", 0) - sj.get("cpu_sys", 0)) / took, steal=(m1[1] - m0[1]) / took,
            sender=sj, exit_s=exit_s, exit_killed=killed, note=late, lost_acks=k2["lost_acks"])
        if args.samples:
            res["samples"] = samples
        log = open(f"{run}/sut.out", errors="replace").read()
        if log:
            res["log_lines"], res["log_head"] = log.count("\n"), log[:300]
    except Exception as e:                                           # a run that fails is a result too
        res["error"] = f"{type(e).__name__}: {e}"
    finally:
        for p in (snd, sut, sink):
            if p and p.poll() is None:
                end(p, 3)
        if not args.keep:
            shutil.rmtree(run, ignore_errors=True)
    return res


def brief(r):
    if "skipped" in r or "error" in r:
        return r.get("skipped") or "ERROR " + r["error"]
    lat = r["lat"] or {}
    return (f"{r['lines_per_s'] or 0:>9.0f} l/s  cpu {r['cpu_per_mline']:5.2f} s/M  rss {r['rss_mib']:6.0f} MiB  lost {r['lost']}  dup {r['duplicates']}"
            f"  p50 {lat.get('p50')}  p99 {lat.get('p99')}  p999 {lat.get('p999')}  max {lat.get('max')} ms"
            f"  sink {r['cpu_sink']:.2f}s snd {r['cpu_sender']:.2f}s  foreign {r['cpu_foreign']:.2f}{'  ' + r['note'] if r['note'] else ''}")


def run(args):
    systems = json.load(open(f"{HERE}/systems.json"))
    for extra in args.extra:
        systems.update(json.load(open(extra)))
    names = args.systems.split(",")
    os.makedirs(args.rundir, exist_ok=True)
    lock = open(args.lock, "w")
    with open(args.out, "a") as out:
        for rep in range(args.reps):
            for w in args.workloads.split(","):
                for n in names:
                    for attempt in range(args.retries + 1):
                        fcntl.flock(lock, fcntl.LOCK_EX)
                        try:
                            r = one_run(n, systems[n], w, args)
                        finally:
                            fcntl.flock(lock, fcntl.LOCK_UN)
                        noisy = r.get("cpu_foreign", 0) > args.max_foreign
                        print(f"{rep} {w:3} {n:18} {brief(r)}{'  NOISY' if noisy else ''}", flush=True)
                        if not noisy:
                            break
                        time.sleep(2)
                    r["noisy"] = noisy
                    out.write(json.dumps(r) + "\n")
                    out.flush()


def table(args):
    rows = {}
    for f in args.files:
        for l in open(f):
            r = json.loads(l)
            if "skipped" not in r:
                rows.setdefault(r["workload"], {}).setdefault(r["system"], []).append(r)

    def med(rs, *path):
        v = []
        for r in rs:
            for p in path:
                r = (r or {}).get(p)
            if r is not None:
                v.append(r)
        return statistics.median(v) if v else None

    def fmt(x, f):
        return "-" if x is None else format(x, f)
    for w in [w for w in WORKLOADS if w in rows]:
        for s in rows[w]:                                            # quiet runs only, if there are any
            rows[w][s] = [r for r in rows[w][s] if not r.get("noisy")] or rows[w][s]
        rated = WORKLOADS[w].get("rate")
        print(f"\n**{w}** {WORKLOADS[w]['text']}\n")
        print("| system | runs | lines/s (min..max) | CPU s/M lines (user+sys) | peak RSS MiB | lost | dup | p50 / p99 / p99.9 / max ms | batches/M | sender+sink CPU s/M |")
        print("|---|---|---|---|---|---|---|---|---|---|")
        for s, rs in rows[w].items():
            ok = [r for r in rs if "error" not in r and r.get("lines_per_s")]
            if not ok:
                print(f"| {s} | {len(rs)} | failed: {rs[-1].get('error') or rs[-1].get('note')} | | | | | | | |")
                continue
            lps = [r["lines_per_s"] for r in ok]
            lat = " / ".join(fmt(med(ok, "lat", k), ".1f") for k in ("p50", "p99", "p999", "max")) if rated else "-"
            m = [r["lines"] / 1e6 for r in ok]
            print(f"| {s} | {len(ok)}{'' if len(ok) == len(rs) else ' of ' + str(len(rs))} | {statistics.median(lps):,.0f} ({min(lps):,.0f}..{max(lps):,.0f}) "
                  f"| {med(ok, 'cpu_per_mline'):.2f} ({statistics.median(r['cpu_user'] / q for r, q in zip(ok, m)):.2f}+{statistics.median(r['cpu_sys'] / q for r, q in zip(ok, m)):.2f}) "
                  f"| {max(r['rss_mib'] for r in ok):.0f} | {'/'.join(str(r['lost']) for r in ok)} | {'/'.join(str(r['duplicates']) for r in ok)} | {lat} "
                  f"| {statistics.median(r['batches'] / q for r, q in zip(ok, m)):.0f} | {statistics.median((r['cpu_sender'] + r['cpu_sink']) / q for r, q in zip(ok, m)):.2f} |")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sp = ap.add_subparsers(dest="cmd", required=True)
    p = sp.add_parser("run")
    p.add_argument("--systems", required=True)
    p.add_argument("--workloads", required=True)
    p.add_argument("--reps", type=int, default=1)
    p.add_argument("--out", default="results.jsonl")
    p.add_argument("--extra", action="append", default=[], help="another systems.json")
    p.add_argument("--ack-ms", type=float, default=2.0)
    p.add_argument("--partitions", type=int, default=4)
    p.add_argument("--warm", type=int, default=200_000)
    p.add_argument("--scale", type=float, default=1.0, help="factor on the number of lines")
    p.add_argument("--limit", type=float, default=24.0, help="seconds a timed part may take")
    p.add_argument("--max-foreign", type=float, default=0.15, help="cores others may use during a run before it is repeated")
    p.add_argument("--retries", type=int, default=3)
    p.add_argument("--peers", default="/tmp/corndog-peers", help="where peers.sh put them")
    p.add_argument("--corndog", default=os.environ.get("CORNDOG_BINARY", os.path.join(HERE, "../bin/corndog")), help="the binary to measure")
    p.add_argument("--rundir", default="/tmp/corndog-bench")
    p.add_argument("--lock", default="/tmp/corndog-bench.lock")
    p.add_argument("--keep", action="store_true", help="keep the run folders (configs, logs)")
    p.add_argument("--samples", action="store_true", help="put the progress curve into the results")
    p = sp.add_parser("table")
    p.add_argument("files", nargs="+")
    sp.add_parser("list")
    args = ap.parse_args()
    if args.cmd == "run":
        run(args)
    elif args.cmd == "table":
        table(args)
    else:
        for k, v in WORKLOADS.items():
            print(k, v["text"])
        for k, v in json.load(open(f"{HERE}/systems.json")).items():
            print(k, "-", v["note"])


if __name__ == "__main__":
    main()
