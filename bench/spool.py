#!/usr/bin/env python3
"""What the spool costs, and what it keeps up with.

    spool.py disk                            what the disk takes: bytes, and syncs, a second
    spool.py cache                           what a write without a sync costs: the copy into the system's cache
    spool.py durability [--reps 5]           lines/s and CPU per line with each durability, in turns, medians, ratios
    spool.py http       [--seconds 10]       10,000 requests/s, answered when they are on the disk (fsync): p50, p99
    spool.py backlog    [--reps 3]           100,000 batches after a kill: start, and latency of live lines meanwhile
    spool.py all

The broker takes five batches at a time of each partition; it has four here.

Sink and senders (ksink, sendlines, clobber) share the cores with corndog, which is bin/corndog or --corndog. Files lie
in --rundir: put it on the disk that is meant.
"""
import argparse, json, os, shutil, socket, statistics, subprocess, sys, tempfile, time, urllib.request
import bench, host

HERE = bench.HERE
# Others than those of bench.py.
PORT, HTTP, ADMIN, KPORT, CPORT = 16514, 16580, 16585, 16592, 16593
bench.PORT, bench.KPORT, bench.CPORT = PORT, KPORT, CPORT
MIB = 1 << 20


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def disk(args):
    """Syncs of one file: groups as the spool writes them, and single small batches; into fresh blocks and over old ones."""
    for name, size, count in (("a group of 4 MiB", 4 * MIB, 48), ("16 KiB", 16384, 400)):
        for over in (False, True):
            path = f"{args.rundir}/disk"
            data = os.urandom(MIB) * (size // MIB) if size >= MIB else os.urandom(size)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                if over:
                    for i in range(count):
                        os.pwrite(fd, data, i * size)
                    os.fsync(fd)
                took, begin = [], time.monotonic()
                for i in range(count):
                    t = time.monotonic()
                    os.pwrite(fd, data, i * size)
                    os.fdatasync(fd)
                    took.append((time.monotonic() - t) * 1000)
                span = time.monotonic() - begin
            finally:
                os.close(fd)
                os.unlink(path)
            print(f"{name:16} {'over old' if over else 'fresh':8} {count * size / span / 1e6:7.0f} MB/s  {count / span:6.0f} syncs/s"
                  f"  p50 {quantile(took, .5):6.2f} ms  p99 {quantile(took, .99):6.2f} ms", flush=True)


def cache(args):
    """A gibibyte in batches of 512 KiB into segments of 64 MiB: into new files that are removed, the same with their
    blocks reserved (fallocate), over old ones, and the copy alone. CPU includes the kernel's part; 220 bytes are a line of 200 with its share of the batch's heads."""
    batch, segment, count = MIB // 2, 64 * MIB, 2048
    source, target = memoryview(bytearray(os.urandom(MIB) * 64)), bytearray(segment)
    paths = [f"{args.rundir}/cache-{i}" for i in range(3)]

    def write(paths, new, reserve=False):
        for i in range(0, count * batch, segment):
            path = paths[i // segment % len(paths)]
            if new and os.path.exists(path):
                os.unlink(path)
            fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            if reserve:
                os.posix_fallocate(fd, 0, segment)
            for at in range(0, segment, batch):
                os.pwrite(fd, source[at:at + batch], at)
            os.close(fd)

    def copy():
        for i in range(count):
            at = i * batch % segment
            target[at:at + batch] = source[at:at + batch]

    kinds = {"new files": lambda: write(paths, True), "reserved files": lambda: write(paths, True, True), "over old files": lambda: write(paths, False), "memory to memory": copy}
    try:
        write(paths, True)
        for name, run in kinds.items():
            rows = []
            for _ in range(5):
                cpu, begin = time.process_time(), time.monotonic()
                run()
                rows.append((time.process_time() - cpu, time.monotonic() - begin))
            cpu, span = (statistics.median(row[i] for row in rows) for i in (0, 1))
            gb = count * batch / 1e9
            print(f"{name:16} {gb / span:5.2f} GB/s  CPU {cpu / gb:.3f} s/GB, {cpu / gb * 0.22:.3f} s per million lines of 200 bytes", flush=True)
    finally:
        for path in paths:
            if os.path.exists(path):
                os.unlink(path)


SYSTEMS = ("corndog", "corndog-os", "corndog-fsync")


def durability(args):
    with open(f"{HERE}/systems.json") as f:
        systems = json.load(f)
    args.lock = args.rundir + "/lock"
    rows = {name: [] for name in SYSTEMS}
    for rep in range(args.reps):
        # Who goes first changes, so that a machine that warms up favours nobody.
        for name in (SYSTEMS if rep % 2 == 0 else SYSTEMS[::-1]):
            r = bench.quiet(lambda: bench.one_run(name, systems[name], "S2", args), args, time.monotonic() + 600)
            print(f"{name:14} {bench.brief(r)}{'  NOISY' if r['noisy'] else ''}", flush=True)
            if "lines_per_s" in r:
                rows[name].append((r["lines_per_s"], r["cpu_per_mline"], r["lost"]))
    if not all(rows.values()):
        sys.exit("not all of them ran")
    none = statistics.median(r[0] for r in rows["corndog"])
    print(f"\n{'durability':14} {'lines/s':>10} {'ratio':>6} {'CPU s/M':>8}")
    for name, label in zip(SYSTEMS, ("none", "os", "fsync")):
        speed, cpu = (statistics.median(r[i] for r in rows[name]) for i in (0, 1))
        print(f"{label:14} {speed:10.0f} {speed / none:6.2f} {cpu:8.3f}  lost {sum(r[2] for r in rows[name])}")


CONFIG = """
listen: [{listen}]
admin: {{ listen: "127.0.0.1:{admin}" }}
sink: kafka
kafka: {{ brokers: ["127.0.0.1:{kafka}"], topic: logs, compression: none{more} }}
spool: {{ dir: "{dir}/spool", durability: {durability} }}
limits: {{ connections: 20000, connections_per_peer: 20000 }}
dead_letter: {{ file: "{dir}/dead_letter.ndjson" }}
"""


class Corndog:
    """One process with a spool in a folder; the sink is started beside it, or later."""

    def __init__(self, args, run, durability, listen, more=""):
        self.args, self.run, self.started = args, run, []
        self.port = HTTP if "http" in listen else PORT
        with open(f"{run}/conf", "w") as f:
            f.write(CONFIG.format(listen=listen, admin=ADMIN, kafka=KPORT, dir=run, durability=durability, more=more))

    def sink(self, verify=None):
        cmd = [f"{HERE}/ksink", "--port", str(KPORT), "--ctl", str(CPORT), "--ack-ms", str(self.args.ack_ms), "--topic", "logs", "--partitions", "4", "--quiet"]
        cmd += ["--verify", verify] if verify else ["--no-verify"]
        self._start(cmd, "sink")
        if not host.wait_for(lambda: bench.port_open(CPORT), 5):
            raise RuntimeError("the sink did not start")

    def start(self):
        """Returns the seconds until it takes lines. A port that is open may be the look whether it is free."""
        begin = time.monotonic()
        self.process = self._start([self.args.corndog, "run", "-c", f"{self.run}/conf"], "corndog")
        if not host.wait_for(lambda: bench.port_open(self.port) and self.state() == "running" or self.process.poll() is not None, 30, 0.005) or self.process.poll() is not None:
            raise RuntimeError("corndog did not start: " + open(f"{self.run}/corndog.out", errors="replace").read()[-500:])
        return time.monotonic() - begin

    def stats(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{ADMIN}/admin/stats", timeout=5) as r:
            return json.load(r)

    def state(self):
        try:
            return self.stats()["state"]
        except OSError:
            return None

    def rests(self):
        """Nothing is left to deliver."""
        ledger = self.stats()["ledger"]
        return ledger["spooled"] == 0 and ledger["in_flight"] == 0

    def _start(self, cmd, name):
        p = subprocess.Popen(cmd, cwd=self.run, stdout=open(f"{self.run}/{name}.out", "a"), stderr=subprocess.STDOUT,
                             stdin=subprocess.DEVNULL, env={**os.environ, "CORNDOG_LOG": "json"})
        self.started.append(p)
        return p

    def close(self):
        for p in reversed(self.started):
            if p.poll() is None:
                host.end(p, 12)


def http(args):
    for durability in ("os", "fsync"):
        run = tempfile.mkdtemp(prefix="spool-http-", dir=args.rundir)
        corndog = Corndog(args, run, durability, f'{{ http: "http://127.0.0.1:{HTTP}" }}')
        try:
            corndog.sink()
            corndog.start()
            target = f"http://127.0.0.1:{HTTP}/v1/ingest?ack=disk"
            with open(f"{run}/line", "w") as f:
                f.write("<13>1 - host app - - - " + "x" * 180 + "\n")
            call = [args.corndog, "clobber", target, "--rate", str(args.rate), "--connections", str(args.connections),
                    "--payload-file", f"{run}/line"]
            for seconds in (3, args.seconds):                       # the first is to warm up
                out = subprocess.run([*call, "--duration", f"{seconds}s"], capture_output=True, text=True, timeout=seconds + 60)
            print(f"{durability}: {args.rate} requests/s over {args.connections} connections, ack=disk\n{out.stdout[-1500:]}{out.stderr[-300:]}", flush=True)
            print("  commits:", json.dumps(corndog.stats()["spool"].get("commit_ms")), flush=True)
        finally:
            corndog.close()
            shutil.rmtree(run, ignore_errors=True)


def sender(lines, conns, base, rate=None):
    cmd = [f"{HERE}/sendlines", "--port", str(PORT), "--conns", str(conns), "--lines", str(lines), "--size", "200",
           "--format", "rfc5424", "--framing", "nl", "--conn-base", str(base), "--linger", "1000"]
    return subprocess.run(cmd + (["--rate", str(rate)] if rate else []), capture_output=True, text=True, timeout=120)


def backlog(args):
    """Lines with marked ids fill the spool while there is no broker; the sink measures the latency of the others alone."""
    batches, live_s, rate = 100_000, 8, 5_000
    for rep in range(args.reps):
        run = tempfile.mkdtemp(prefix="spool-backlog-", dir=args.rundir)
        corndog = Corndog(args, run, "os", f'{{ syslog: "tcp://127.0.0.1:{PORT}", frame_max: 1KiB }}', ", batch_max: 4KiB")
        try:
            empty = corndog.start()
            lines = batches * 17                                      # of 230 bytes as records
            sender(lines, 4, 0x8000)
            host.wait_for(lambda: corndog.stats()["spool"]["lines"] >= lines, 60, 0.1)
            there = corndog.stats()["spool"]
            corndog.process.kill()
            corndog.process.wait()
            corndog.sink(verify=f"4,{live_s * rate // 4 + 1}")
            took = corndog.start()
            warm = corndog.stats()["ledger"]["spooled"]
            begin = time.monotonic()
            sender(live_s * rate, 4, 0, rate)
            lat = bench.http("/stats").get("latency_ms") or {}
            left = corndog.stats()["ledger"]["spooled"]
            drained = host.wait_for(corndog.rests, args.drain, 0.1)
            took_all = time.monotonic() - begin
            k = bench.http("/stats")
            print(f"{there.get('batches')} batches, {there.get('bytes', 0) / 1e6:.0f} MB: starts in {took * 1000:.0f} ms ({empty * 1000:.0f} ms without them); live beside it p50 {lat.get('p50')}"
                  f" p99 {lat.get('p99')} max {lat.get('max')} ms; {warm} lines waited, {left} when the live ones ended, "
                  + (f"none after {took_all:.1f} s; lost {lines - k['warmup']} of them and {live_s * rate - k['unique']} live ones" if drained
                     else f"and some still after {took_all:.1f} s"), flush=True)
        finally:
            corndog.close()
            shutil.rmtree(run, ignore_errors=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("what", choices=["disk", "cache", "durability", "http", "backlog", "all"])
    p.add_argument("--reps", type=int, default=3)
    p.add_argument("--seconds", type=float, default=5.0)
    p.add_argument("--rate", type=int, default=10_000, help="requests a second of http")
    p.add_argument("--connections", type=int, default=100, help="of http")
    p.add_argument("--drain", type=float, default=30.0, help="seconds that backlog waits for the rest")
    p.add_argument("--ack-ms", type=float, default=2.0)
    p.add_argument("--partitions", type=int, default=4)
    p.add_argument("--warm", type=int, default=200_000)
    p.add_argument("--limit", type=float, default=24.0)
    p.add_argument("--max-foreign", type=float, default=0.15)
    p.add_argument("--retries", type=int, default=2)
    p.add_argument("--peers", default="/tmp/corndog-peers")
    p.add_argument("--corndog", default=os.environ.get("CORNDOG_BINARY", os.path.join(HERE, "../bin/corndog")), type=os.path.abspath)
    p.add_argument("--rundir", default="/tmp/corndog-bench")
    p.add_argument("--keep", action="store_true", help="keep the run folders")
    p.add_argument("--samples", action="store_true")
    args = p.parse_args()
    os.makedirs(args.rundir, exist_ok=True)
    host.descriptors()
    subprocess.run(["make", "-s", "-C", HERE, "ksink", "sendlines", "tls/cert.pem"], check=True)
    parts = dict(disk=disk, cache=cache, durability=durability, http=http, backlog=backlog)
    for name in parts if args.what == "all" else [args.what]:
        print(f"== {name}", flush=True)
        parts[name](args)


if __name__ == "__main__":
    main()
