"""H1: one event in each HTTP POST, answered when Kafka has it, by connections, distance of the broker and descriptors.

wrk posts as fast as it is answered; the sink's own count says whether what was answered is there. The broker that is
20 ms away is the same sink behind `delay`, which holds every byte for 10 ms in each direction.
"""
import json, os, re, resource, shutil, socket, subprocess, tempfile, time, urllib.request
import host

HERE = os.path.dirname(os.path.abspath(__file__))
HTTP, KAFKA, FAR, CONTROL = 18080, 19092, 19094, 19093

# (round trip to the broker in ms, descriptor limit, connections)
CASES = [(away, files, conns) for away in (0, 20) for files, conns in ((1024, 64), (1024, 512), (65536, 64), (65536, 512), (65536, 4096))]


def label(case):
    away, files, conns = case
    return f"{'near' if away == 0 else str(away) + ' ms'}/{files}/{conns}"


def stats():
    with urllib.request.urlopen(f"http://127.0.0.1:{CONTROL}/stats", timeout=5) as r:
        return json.load(r)


def listens(port):
    with socket.socket() as s:
        s.settimeout(0.5)
        return s.connect_ex(("127.0.0.1", port)) == 0


def one_run(case, args, filler):
    away, files, conns = case
    run = tempfile.mkdtemp(prefix="http-", dir=args.rundir)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files_given = min(files, hard) if hard != resource.RLIM_INFINITY else files
    res = dict(system="corndog", workload="H1", away_ms=away, files=files, files_given=files_given, conns=conns, when=time.time())
    if shutil.which("wrk") is None:
        return dict(res, skipped="wrk is not there")
    started = []
    try:
        sink = [f"{HERE}/ksink", "--port", str(KAFKA), "--ctl", str(CONTROL), "--ack-ms", str(args.ack_ms), "--topic", "logs", "--quiet", "--no-verify"]
        if away:
            started.append(subprocess.Popen([f"{HERE}/delay", "--listen", str(FAR), "--to", str(KAFKA), "--ms", str(away / 2)]))
            sink += ["--advertise", str(FAR)]
        sink = subprocess.Popen(sink, stdout=subprocess.DEVNULL, stderr=open(f"{run}/sink.err", "w"))
        started.append(sink)
        if not host.wait_for(lambda: listens(CONTROL), 5):
            raise RuntimeError("the sink did not start")
        with open(f"{HERE}/systems/corndog/http.yml") as f:
            conf = filler(args, run, "http", conns)(f.read()).replace("@@HTTP@@", str(HTTP))
        with open(f"{run}/conf", "w") as g:
            g.write(conf.replace(f"127.0.0.1:{KAFKA}", f"127.0.0.1:{FAR if away else KAFKA}"))
        sut = subprocess.Popen(
            [args.corndog, "run", "-c", f"{run}/conf"], cwd=run, stdout=open(f"{run}/sut.out", "w"), stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, env={**os.environ, "CORNDOG_LOG": "json"},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files_given, files_given)))
        started.append(sut)
        if not host.wait_for(lambda: listens(HTTP) or sut.poll() is not None, 15) or sut.poll() is not None:
            raise RuntimeError("corndog did not start: " + open(f"{run}/sut.out").read()[-500:])
        time.sleep(0.3)
        shot(64, 1.0)                                                # connections, topic, JIT
        before, u0 = settled(), host.usage(sut.pid)
        m0, k0, own0, begin = host.busy(), stats(), sum(os.times()[:2]), time.monotonic()
        got = shot(conns, args.seconds)
        took, m1, k1, u1 = time.monotonic() - begin, host.busy(), stats(), host.usage(sut.pid)
        ours = sum(u1[:2]) - sum(u0[:2]) + got["cpu"] + sum(os.times()[:2]) - own0
        ours += k1["cpu_user"] + k1["cpu_sys"] - k0["cpu_user"] - k0["cpu_sys"]
        delivered = settled() - before
        answered = got["requests"] - got["errors"]
        res.update(
            requests_per_s=got["requests"] / got["seconds"], answered=answered, errors=got["errors"], missing=max(0, answered - delivered),
            p50=got["p50"], p99=got["p99"], max=got["max"], cpu_us=(sum(u1[:2]) - sum(u0[:2])) / max(1, answered) * 1e6, rss_mib=u1[2],
            cpu_foreign=(m1[0] - m0[0] - ours) / took - (delay_cpu(started[0]) / took if away else 0))
    except Exception as e:
        res["error"] = f"{type(e).__name__}: {e}"
    finally:
        for p in reversed(started):
            if p.poll() is None:
                host.end(p, 10)
        if not args.keep:
            shutil.rmtree(run, ignore_errors=True)
    return res


def delay_cpu(proc):
    return sum(host.usage(proc.pid)[:2])


def shot(conns, seconds):
    """One run of wrk: requests, errors, latency in ms, its own CPU."""
    env = {**os.environ, "EVENTS": "1", "TARGET": "/v1/ingest?ack=kafka", "TYPE": "text/plain"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    out = subprocess.run(["wrk", "-t1", f"-c{conns}", f"-d{max(1, round(seconds))}s", "--timeout", "10s", "-s", f"{HERE}/http.lua",
                          f"http://127.0.0.1:{HTTP}/"], capture_output=True, text=True, env=env, timeout=seconds + 60).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = re.search(r"^RESULT (.*)$", out, re.M)
    if not found:
        raise RuntimeError("wrk said: " + out[-300:])
    n, us, p50, p99, most, errors = map(int, found.group(1).split())
    return dict(requests=n, seconds=us / 1e6, p50=p50 / 1e3, p99=p99 / 1e3, max=most / 1e3, errors=errors,
                cpu=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def settled():
    """What the sink has when nothing comes any more."""
    last, since = -1, time.monotonic()
    limit = since + 10
    while time.monotonic() < limit:
        n = stats()["records"]
        if n != last:
            last, since = n, time.monotonic()
        elif time.monotonic() - since > 0.4:
            break
        time.sleep(0.05)
    return last


def brief(r):
    if "skipped" in r or "error" in r:
        return r.get("skipped") or "ERROR " + r["error"]
    return (f"{r['requests_per_s']:>9.0f} requests/s  cpu {r['cpu_us']:5.1f} us  rss {r['rss_mib']:4.0f} MiB  p50 {r['p50']:.1f} p99 {r['p99']:.1f} ms"
            f"  errors {r['errors']} missing {r['missing']}  foreign {r['cpu_foreign']:.2f}")
