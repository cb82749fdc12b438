#!/usr/bin/env python3
"""Runs syslog to Kafka forwarders through the same workloads, in turn, and writes what came of it.

    bench.py run    --workloads all --reps 3 --out results.jsonl      one JSON line a run
    bench.py report results.jsonl                                     docs/BENCHMARKS.md and its plots
    bench.py table  results.jsonl [more.jsonl ...]                    the tables alone, on the standard output
    bench.py list                                                     workloads and systems

A system is an entry of systems.json (command, environment, optional config template); the strings @@PORT@@ @@BROKER@@
@@MODE@@ @@DIR@@ @@CONF@@ @@CERT@@ @@KEY@@ @@MAXCONN@@ @@PEERS@@ @@CORNDOG@@ @@DENO@@ @@ROOT@@ @@LIBS@@ are filled in.
Repetitions are interleaved (repetition, workload, system), so drift of the machine hits all alike. Every timed run
holds an exclusive lock on --lock, one system is alive at a time, and only processes started here are ended, by pid.
"""
import argparse, fcntl, json, os, shutil, socket, subprocess, sys, tempfile, time, urllib.request
import host, http_events, report
from workloads import LINES_PER_S_MAX, WORKLOADS, expand

HERE = os.path.dirname(os.path.abspath(__file__))
PORT, KPORT, CPORT = 15514, 19092, 19093
PACED_WARM_S = 6


def http(path, timeout=5):
    with urllib.request.urlopen(f"http://127.0.0.1:{CPORT}{path}", timeout=timeout) as r:
        return json.load(r)


def port_open(port):
    with socket.socket() as s:
        s.settimeout(0.5)
        return s.connect_ex(("127.0.0.1", port)) == 0


def sender(w, conns, lines, base=0, rate=None, seconds=None):
    cmd = [f"{HERE}/sendlines", "--port", str(PORT), "--conns", str(conns), "--lines", str(lines), "--size", str(w["size"]),
           "--format", w["fmt"], "--framing", w.get("framing", "nl"), "--conn-base", str(base), "--linger", "1000"]
    if rate:
        cmd += ["--rate", str(rate)]
    elif seconds:
        cmd += ["--seconds", str(seconds)]
    if w["mode"] == "tls":
        cmd += ["--tls", "--ca", f"{HERE}/tls/cert.pem", "--sni", "localhost"]
    return subprocess.Popen(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def filler(args, run, mode, conns):
    """Fills in what stands as @@NAME@@."""
    libs = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True).stdout.strip() or "x86_64-linux-gnu"
    sub = {"PORT": str(PORT), "BROKER": f"127.0.0.1:{KPORT}", "MODE": mode, "DIR": run, "CONF": f"{run}/conf",
           "CERT": f"{HERE}/tls/cert.pem", "KEY": f"{HERE}/tls/key.pem", "MAXCONN": str(conns + 16), "PEERS": args.peers,
           "CORNDOG": args.corndog, "DENO": shutil.which("deno") or "deno", "ROOT": os.path.dirname(HERE), "LIBS": libs}

    def fill(text):
        for k, v in sub.items():
            text = text.replace(f"@@{k}@@", v)
        return text
    return fill


class Run:
    """One system under one workload, from start to end; `measure` gives the result."""

    def __init__(self, name, system, wname, args):
        self.w, self.args = WORKLOADS[wname], args
        self.system = system
        self.seconds = max(args.seconds, self.w.get("seconds", 0))
        self.conns = self.w["conns"]
        self.dir = tempfile.mkdtemp(prefix=f"{name}-{wname}-", dir=args.rundir)
        self.fill = filler(args, self.dir, self.w["mode"], self.conns)
        self.result = dict(system=name, workload=wname, conns=self.conns, ack_ms=args.ack_ms, when=time.time())
        self.rate = self.w.get("rate")
        # Lines of the schedule, or room for ids where the sender sends what it can.
        self.lines = int((self.rate or LINES_PER_S_MAX) * self.seconds)
        self.sink = self.sut = self.snd = None

    def start(self):
        """Sink, then system, until it takes connections. False: there is nothing to run."""
        if "conf" in self.system:
            source = os.path.join(HERE, self.fill(self.system["conf"]))
            if not os.path.exists(source):
                self.result["skipped"] = "no configuration for this"
                return False
            with open(source) as f, open(f"{self.dir}/conf", "w") as g:
                g.write(self.fill(f.read()))
        command = [self.fill(part) for part in self.system["cmd"]]
        if shutil.which(command[0]) is None:
            self.result["skipped"] = f"{os.path.basename(command[0])} is not there"
            return False
        self.sink = subprocess.Popen(
            [f"{HERE}/ksink", "--port", str(KPORT), "--ctl", str(CPORT), "--ack-ms", str(self.args.ack_ms), "--partitions",
             str(self.args.partitions), "--verify", f"{self.conns},{self.lines // self.conns + 1}", "--quiet"],
            stdout=open(f"{self.dir}/sink.out", "w"), stderr=open(f"{self.dir}/sink.err", "w"))
        if not host.wait_for(lambda: port_open(CPORT), 5):
            raise RuntimeError("the sink did not start")
        env = {**os.environ, **{k: self.fill(v) for k, v in self.system.get("env", {}).items()}}
        self.sut = subprocess.Popen(command, cwd=self.dir, env=env, stdout=open(f"{self.dir}/sut.out", "w"),
                                    stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

        def listens():
            # Twice: a system may try its port before it takes it.
            if not port_open(PORT):
                return self.sut.poll() is not None
            time.sleep(0.3)
            return port_open(PORT)
        if not host.wait_for(listens, 15) or self.sut.poll() is not None:
            raise RuntimeError("the system did not start: " + self.log()[-500:])
        return True

    def warm(self):
        """Connections to the broker, topics, JIT: lines with marked ids, which are not measured. Returns those lost."""
        lines = int(self.args.warm * self.system.get("scale", 1))
        self.snd = sender(self.w, min(self.conns, 4), lines, base=0x8000)
        self.snd.communicate(timeout=40)
        if self.rate:
            # As it will come, too: at a fixed rate other code is hot than at full speed.
            paced = int(self.rate * PACED_WARM_S)
            self.snd = sender(self.w, self.conns, paced, base=0x8000, rate=self.rate)
            self.snd.communicate(timeout=40)
            lines += paced
        seen = [0, time.monotonic()]

        def warmed():
            n = http("/stats")["warmup"]
            if n != seen[0]:
                seen[:] = [n, time.monotonic()]
            return n >= lines or time.monotonic() - seen[1] > 3
        host.wait_for(warmed, 20, 0.05)
        time.sleep(0.5)
        return lines

    def log(self):
        with open(f"{self.dir}/sut.out", errors="replace") as f:
            return f.read()

    def measure(self):
        warm, w, res = self.warm(), self.w, self.result
        idle_rss = host.usage(self.sut.pid)[2]
        u0, s0, _ = host.usage(self.sut.pid)
        k0, m0, own0 = http("/stats"), host.busy(), sum(os.times()[:2])
        begin = time.monotonic()
        # What a system can take in that time is enough: sockets of 500 connections hold seconds of more.
        speed = self.system.get("speed", {}).get(w["mode"], LINES_PER_S_MAX)
        bound = self.lines if self.rate else int(min(speed, LINES_PER_S_MAX) * self.seconds)
        self.snd = sender(w, self.conns, bound, rate=self.rate, seconds=self.seconds)
        outage, down, sent, samples = w.get("outage"), False, None, []
        last, last_change, note = -1, time.monotonic(), None
        limit = self.seconds + self.args.limit
        while True:
            now = time.monotonic()
            if outage and not down and now - begin >= outage[0]:
                http(f"/down?ms={int(outage[1] * 1000)}")
                down = True
            st = http("/stats")
            if st["unique"] != last:
                last, last_change = st["unique"], now
            samples.append((round(now - begin, 3), st["unique"]))
            if sent is None and self.snd.poll() is not None:
                out, err = self.snd.communicate()
                sent = json.loads(out) if out.strip() else dict(lines=0, failed=err.strip()[-200:])
            if sent is not None and st["unique"] >= sent["lines"]:
                break
            if sent is not None and now - max(last_change, begin + (sum(outage) if outage else 0)) > w.get("stall", 8):
                break
            if now - begin > limit:
                note = "time limit"
                break
            if self.sut.poll() is not None:
                note = f"the system ended, status {self.sut.returncode}"
                break
            time.sleep(0.05)
        u1, s1, rss = host.usage(self.sut.pid)
        m1, own1, took = host.busy(), sum(os.times()[:2]), time.monotonic() - begin
        if sent is None:
            self.snd.terminate()
            sent = dict(lines=0, failed="ended by the time limit")
            self.snd.communicate(timeout=20)
        k1 = http("/stats")
        exit_s, killed = host.end(self.sut, 12)
        k2 = http("/stats")
        if "failed" in sent:
            raise RuntimeError(f"the sender failed: {sent['failed']}; {note or ''} {self.log()[-300:]}")
        lines, n = sent["lines"], k2["unique"]                       # what came during the shutdown counts, and is told
        span = (k2["last_new_ns"] - sent["first_ns"]) / 1e9
        if n > k1["unique"]:
            note = f"{n - k1['unique']} lines arrived only at shutdown" + (f", {note}" if note else "")
        sink_cpu = k1["cpu_user"] + k1["cpu_sys"] - k0["cpu_user"] - k0["cpu_sys"]
        sender_cpu = sent.get("cpu_user", 0) + sent.get("cpu_sys", 0)
        ours = (u1 - u0 + s1 - s0) + (own1 - own0) + sink_cpu + sender_cpu
        log = self.log()
        res.update(
            lines=lines, seconds=span, lines_per_s=n / span, mb_per_s=n * w["size"] / span / 1e6,
            cpu_user=u1 - u0, cpu_sys=s1 - s0, cpu_per_mline=(u1 - u0 + s1 - s0) / max(k1["unique"], 1) * 1e6,
            cpu_sink=sink_cpu, cpu_sender=sender_cpu, rss_mib=rss, rss_idle_mib=idle_rss, lost=lines - n,
            lost_before_exit=lines - k1["unique"], duplicates=k2["duplicates"], reordered=k2["reordered"],
            requests=k1["requests"] - k0["requests"], batches=k1["batches"] - k0["batches"], lat=k1.get("latency_ms"),
            crc_bad=k2["crc_bad"], malformed=k2["malformed"], too_large=k2["too_large"], no_marker=k2["no_marker"],
            bad_id=k2["bad_id"], value_min=k2["value_min"], value_max=k2["value_max"], warm_lost=warm - k2["warmup"],
            topics=len(k2["topics"]), cpu_foreign=(m1[0] - m0[0] - ours) / took, steal=(m1[1] - m0[1]) / took,
            sender=sent, exit_s=exit_s, exit_killed=killed, note=note, lost_acks=k2["lost_acks"],
            log_lines=log.count("\n"), log_head=log[:300])
        if self.args.samples:
            res["samples"] = samples

    def close(self):
        for p in (self.snd, self.sut, self.sink):
            if p and p.poll() is None:
                host.end(p, 3)
        if not self.args.keep:
            shutil.rmtree(self.dir, ignore_errors=True)


def one_run(name, system, wname, args):
    run = Run(name, system, wname, args)
    try:
        if run.start():
            run.measure()
    except Exception as e:                                           # a run that fails is a result too
        run.result["error"] = f"{type(e).__name__}: {e}"
    finally:
        run.close()
    return run.result


def brief(r):
    if "skipped" in r or "error" in r:
        return r.get("skipped") or "ERROR " + r["error"]
    lat = r["lat"] or {}
    return (f"{r['lines_per_s'] or 0:>9.0f} l/s  cpu {r['cpu_per_mline']:5.2f} s/M  rss {r['rss_mib']:4.0f} MiB  lost {r['lost']} dup {r['duplicates']} moved {r['reordered']}"
            f"  p50 {lat.get('p50')} p99 {lat.get('p99')} p999 {lat.get('p999')} ms  foreign {r['cpu_foreign']:.2f}{'  ' + r['note'] if r['note'] else ''}")


def quiet(attempt, args, deadline):
    """Calls `attempt` until nobody else used the machine, or the patience is over; marks what stayed noisy."""
    for left in range(args.retries, -1, -1):
        lock = open(args.lock, "w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            r = attempt()
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)
        r["noisy"] = r.get("cpu_foreign", 0) > args.max_foreign
        if not r["noisy"] and "error" not in r:
            break
        if left and time.monotonic() < deadline:
            print(f"      again: {'others used ' + format(r['cpu_foreign'], '.2f') + ' cores' if r['noisy'] else r['error']}", flush=True)
            time.sleep(2)
        else:
            break
    return r


def plan(args, systems):
    """(repetition, workload, system) in the order in which they are run."""
    chosen = args.systems.split(",") if args.systems else None
    for rep in range(args.reps):
        for w in expand(args.workloads):
            if w == "H1":
                yield from ((rep, w, case) for case in http_events.CASES if chosen is None or "corndog" in chosen)
                continue
            names = [n for n in WORKLOADS[w]["systems"] if n in systems] if chosen is None else chosen
            yield from ((rep, w, n) for n in names)


def run(args):
    with open(f"{HERE}/systems.json") as f:
        systems = json.load(f)
    for extra in args.extra:
        with open(extra) as f:
            systems.update(json.load(f))
    os.makedirs(args.rundir, exist_ok=True)
    host.descriptors()
    todo = list(plan(args, systems))
    begin = time.monotonic()
    # Beyond it nothing is repeated, and no further repetition is begun: the first one is always whole.
    deadline = begin + args.minutes * 60
    ng = systems.get("syslog-ng", {})
    fill = filler(args, args.rundir, "raw", 4)
    about = dict(about=True, when=time.time(), machine=host.machine(), reps=args.reps, seconds=args.seconds, ack_ms=args.ack_ms,
                 partitions=args.partitions, max_foreign=args.max_foreign,
                 versions=host.versions(args.corndog, fill((ng.get("cmd") or [""])[0]), {k: fill(v) for k, v in ng.get("env", {}).items()}))
    with open(args.out, "a") as out:
        out.write(json.dumps(about) + "\n")
        for done, (rep, w, name) in enumerate(todo):
            if rep > 0 and time.monotonic() > deadline:
                print(f"{args.minutes:g} minutes are over: {len(todo) - done} further runs are left out", flush=True)
                break
            if w == "H1":
                r = quiet(lambda: http_events.one_run(name, args, filler), args, deadline)
                text, label = http_events.brief(r), http_events.label(name)
            else:
                r = quiet(lambda: one_run(name, systems[name], w, args), args, deadline)
                text, label = brief(r), name
            passed = time.monotonic() - begin
            left = passed / (done + 1) * (len(todo) - done - 1)
            print(f"[{done + 1}/{len(todo)}, {passed / 60:.1f} min, {left / 60:.0f} to go] {w:7} {label:17} {text}{'  NOISY' if r['noisy'] else ''}", flush=True)
            out.write(json.dumps(dict(r, rep=rep)) + "\n")
            out.flush()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sp = ap.add_subparsers(dest="cmd", required=True)
    p = sp.add_parser("run")
    p.add_argument("--systems", help="these alone, separated by commas; default: those of each workload")
    p.add_argument("--workloads", default="all", help="names and groups (all, short, C1), separated by commas")
    p.add_argument("--reps", type=int, default=3)
    p.add_argument("--seconds", type=float, default=5.0, help="how long each run sends")
    p.add_argument("--minutes", type=float, default=180.0, help="after so long nothing is repeated; the first repetition is always whole")
    p.add_argument("--out", default="results.jsonl")
    p.add_argument("--extra", action="append", default=[], help="another systems.json")
    p.add_argument("--ack-ms", type=float, default=2.0)
    p.add_argument("--partitions", type=int, default=4)
    p.add_argument("--warm", type=int, default=200_000)
    p.add_argument("--limit", type=float, default=24.0, help="seconds beyond the sending that a run may take")
    p.add_argument("--max-foreign", type=float, default=0.15, help="cores others may use during a run before it is repeated")
    p.add_argument("--retries", type=int, default=2)
    p.add_argument("--peers", default="/tmp/corndog-peers", help="where peers.sh put them")
    p.add_argument("--corndog", default=os.environ.get("CORNDOG_BINARY", os.path.join(HERE, "../bin/corndog")), type=os.path.abspath, help="the binary to measure")
    p.add_argument("--rundir", default="/tmp/corndog-bench")
    p.add_argument("--lock", default="/tmp/corndog-bench.lock")
    p.add_argument("--keep", action="store_true", help="keep the run folders (configs, logs)")
    p.add_argument("--samples", action="store_true", help="put the progress curve into the results")
    p = sp.add_parser("table")
    p.add_argument("files", nargs="+")
    p = sp.add_parser("report")
    p.add_argument("files", nargs="+")
    p.add_argument("--command", default="sh bench/run.sh", help="how the results were made, for the page")
    sp.add_parser("list")
    args = ap.parse_args()
    if args.cmd == "run":
        run(args)
    elif args.cmd == "table":
        print(report.tables(report.load(args.files)))
    elif args.cmd == "report":
        report.write(args.files, args.command)
    else:
        for k, v in WORKLOADS.items():
            print(k, v["text"])
        with open(f"{HERE}/systems.json") as f:
            for k, v in json.load(f).items():
                print(k, "-", v["note"])


if __name__ == "__main__":
    main()
