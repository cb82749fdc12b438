"""docs/BENCHMARKS.md and its plots from the lines that `bench.py run` wrote. What is said in words stands in page.md."""
import json, os, shutil, statistics, subprocess, time
import plots
from workloads import WORKLOADS

HERE = os.path.dirname(os.path.abspath(__file__))
DOCS = os.path.join(os.path.dirname(HERE), "docs")
PEERS = ("rsyslog", "syslog-ng")
FULL_SPEED = ("W1", "W2", "W3", "W4", "W6", "F1")
PACED = ("L0", "L1", "L2")


class Results:
    """Runs by workload and system; of a system's runs, the quiet ones where there are any."""

    def __init__(self, about, rows):
        self.about, self.rows = about, rows

    def runs(self, workload, system):
        every = self.rows.get(workload, {}).get(system, [])
        good = [r for r in every if "error" not in r and "skipped" not in r]
        return [r for r in good if not r.get("noisy")] or good

    def systems(self, workload):
        return [s for s in self.rows.get(workload, {}) if any("skipped" not in r for r in self.rows[workload][s])]

    def median(self, workload, system, *path):
        values = []
        for r in self.runs(workload, system):
            for key in path:
                r = (r or {}).get(key)
            if r is not None:
                values.append(r)
        return statistics.median(values) if values else None


def load(files):
    about, rows = {}, {}
    for name in files:
        with open(name) as f:
            for line in f:
                r = json.loads(line)
                if r.get("about"):
                    about = r
                elif r["workload"] != "H1":
                    rows.setdefault(r["workload"], {}).setdefault(r["system"], []).append(r)
                else:
                    rows.setdefault("H1", {}).setdefault((r["away_ms"], r["files"], r["conns"]), []).append(r)
    return Results(about, rows)


def fmt(value, spec):
    return "–" if value is None else format(value, spec)


def span(runs, key, spec):
    values = [r[key] for r in runs]
    if not values:
        return "–"
    middle = format(statistics.median(values), spec)
    return middle if len(values) == 1 else f"{middle} ({format(min(values), spec)}–{format(max(values), spec)})"


def table(head, rows):
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *("| " + " | ".join(map(str, row)) + " |" for row in rows)])


def workload_table(results, w):
    rated = WORKLOADS[w].get("rate") is not None
    rows = []
    for s in results.systems(w):
        every, runs = results.rows[w][s], results.runs(w, s)
        if not runs:
            rows.append([s, "failed: " + str(every[-1].get("error"))[:120].replace("|", "/").replace("\n", " "), *[""] * 7])
            continue
        # Lines that were lost or came twice are told of every run, also of one that was not quiet.
        ran = [r for r in every if "error" not in r]
        noisy = " (noisy)" if runs[0].get("noisy") else ""
        lat = " / ".join(fmt(results.median(w, s, "lat", k), ".1f") for k in ("p50", "p99", "p999")) if rated else "–"
        rows.append([s, f"{len(runs)}{noisy}", span(runs, "lines_per_s", ",.0f"), span(runs, "cpu_per_mline", ".2f"),
                     f"{max(r['rss_mib'] for r in runs):.0f}", lat, f"{max(r['lost'] for r in ran):,}",
                     f"{max(r['duplicates'] for r in ran):,}", f"{max(r['reordered'] for r in ran):,}"])
    head = ["system", "runs", "lines/s", "CPU-s per million lines", "peak RSS, MiB", "p50 / p99 / p99.9, ms", "lost", "repeated", "moved"]
    return table(head, rows)


def http_table(results):
    rows = []
    for (away, files, conns), every in sorted(results.rows.get("H1", {}).items()):
        good = [r for r in every if "error" not in r and "skipped" not in r]
        good = [r for r in good if not r.get("noisy")] or good
        if not good:
            rows.append([f"{away} ms", f"{files:,}", f"{conns:,}", "failed: " + str(every[-1].get("error") or every[-1].get("skipped"))[:120].replace("|", "/").replace("\n", " "), "", "", "", "", ""])
            continue
        given = good[0]["files_given"]
        middle = {k: statistics.median(r[k] for r in good) for k in ("p50", "p99")}
        rows.append([f"{away} ms", f"{files:,}" if given == files else f"{files:,} (the machine gave {given:,})", f"{conns:,}",
                     span(good, "requests_per_s", ",.0f"), span(good, "cpu_us", ".1f"), f"{max(r['rss_mib'] for r in good):.0f}",
                     f"{middle['p50']:.1f} / {middle['p99']:.1f}", max(r["errors"] for r in every if "errors" in r), max(r["missing"] for r in every if "missing" in r)])
    head = ["broker away", "descriptors", "connections", "requests/s", "CPU, µs per request", "peak RSS, MiB", "p50 / p99, ms", "errors", "missing"]
    return table(head, rows)


def tables(results):
    parts = []
    for w in WORKLOADS:
        if results.systems(w):
            parts.append(f"**{w}**: {WORKLOADS[w]['text']}\n\n{workload_table(results, w)}")
    if "H1" in results.rows:
        parts.append(f"**H1**: one event in each HTTP POST, answered when Kafka has it\n\n{http_table(results)}")
    return "\n\n".join(parts)


def ratio_table(results):
    """corndog against the better of the peers, each figure for itself."""
    rows = []
    for w in ("W1", "W2", "W3", "W4", "W6", "F1", "L0", "L1", "L2"):
        us = "corndog"
        speed, cpu = results.median(w, us, "lines_per_s"), results.median(w, us, "cpu_per_mline")
        best = max((results.median(w, p, "lines_per_s") or 0 for p in PEERS), default=0)
        least = min((results.median(w, p, "cpu_per_mline") or float("inf") for p in PEERS))
        if speed is None or not best:
            continue
        deno, rated = results.median(w, "corndog-deno", "lines_per_s"), WORKLOADS[w].get("rate")
        rows.append([w, "–" if rated else f"{speed / best:.1f}", f"{cpu / least:.2f}",
                     "–" if rated or deno is None else f"{deno / speed:.2f}", f"{max(r['rss_mib'] for r in results.runs(w, us)):.0f}"])
    s1, w1 = results.median("S1", "corndog-fsync", "lines_per_s"), results.median("W1", "corndog", "lines_per_s")
    text = table(["workload", "lines/s, times the better peer's", "CPU per line, share of the better peer's", "Deno's lines/s, share of the binary's", "peak RSS, MiB"], rows)
    best = max((results.median("W1", p, "lines_per_s") or 0 for p in PEERS), default=0)
    if s1 and w1:
        text += f"\n\nS1 against W1: {s1 / w1:.2f} of our own lines/s"
        text += f", {s1 / best:.1f} times the better peer's W1, which syncs nothing.\n" if best else ".\n"
    few, many = (results.median(w, "corndog", "cpu_per_mline") for w in ("C1-10", "C1-10000"))
    if few and many:
        text += f"\nC1: a line over 10,000 connections costs {many / few:.1f} times what it costs over 10.\n"
    return text


def draw(results):
    """Writes the plots; returns [(file, what it shows)]."""
    folder, shown = os.path.join(DOCS, "benchmarks"), []
    os.makedirs(folder, exist_ok=True)
    # What an earlier run drew of workloads that this one left out.
    for old in os.listdir(folder):
        os.remove(os.path.join(folder, old))

    def put(name, text, what):
        if text:
            with open(os.path.join(folder, name), "w") as f:
                f.write(text)
            shown.append((f"benchmarks/{name}", what))

    def groups(workloads, *path):
        out = []
        for w in workloads:
            rows = [(s, results.median(w, s, *path)) for s in results.systems(w) if results.median(w, s, *path) is not None]
            if rows:
                out.append((w, rows))
        return out
    for name, title, workloads, path in (
            ("lines.svg", "Lines per second at full speed (longer is better)", (*FULL_SPEED, "S1", "D1"), ("lines_per_s",)),
            ("cpu.svg", "CPU seconds per million lines at full speed (shorter is better)", (*FULL_SPEED, "S1", "D1"), ("cpu_per_mline",)),
            ("rss.svg", "Peak resident memory, MiB", ("W1", "W2", "W3", "W4", "W6", "C1-10000"), ("rss_mib",)),
            ("cpu-paced.svg", "CPU seconds per million lines at fixed rates (shorter is better)", PACED, ("cpu_per_mline",))):
        found = groups(workloads, *path)
        if found:
            put(name, plots.bars(title, found), title)
    late = [(f"{w} {label}", rows) for w in PACED for key, label in (("p50", "p50"), ("p99", "p99"), ("p999", "p99.9")) for _, rows in groups([w], "lat", key)]
    if late:
        put("latency.svg", plots.bars("Milliseconds from due to the broker at fixed rates (shorter is better)", late), "latency at fixed rates")
    by_count = [(int(w[3:]), w) for w in WORKLOADS if w.startswith("C1-") and results.systems(w)]
    if len(by_count) > 1:
        names = list(dict.fromkeys(s for _, w in by_count for s in results.systems(w)))
        series = [(s, [(n, v) for n, w in by_count if (v := results.median(w, s, "cpu_per_mline"))]) for s in names]
        put("connections.svg", plots.lines("CPU seconds per million lines by connections, 50,000 lines/s in all", "connections", "CPU-s per million lines", [x for x in series if x[1]]), "cost by connections")
    return shown


def configurations():
    parts = []
    for system in ("corndog", "corndog-fsync", "corndog-default", "rsyslog", "syslog-ng", "rsyslog-default", "syslog-ng-default"):
        folder = os.path.join(HERE, "systems", system)
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name)) as f:
                text = f.read().strip()
            language = "yaml" if name.endswith(".yml") else ""
            parts.append(f"<details><summary><code>bench/systems/{system}/{name}</code></summary>\n\n```{language}\n{text}\n```\n\n</details>")
    return "\n\n".join(parts)


def stages_table():
    """The last run of bench/stages.ts on each runtime."""
    last = {}
    path = os.path.join(HERE, "history", "stages.jsonl")
    if os.path.exists(path):
        with open(path) as f:
            for line in f:
                r = json.loads(line)
                last[r["runtime"]] = r["results"]
    names = list(dict.fromkeys(name for results in last.values() for name in results))
    rows = [[name, *(fmt(results.get(name), ".1f") for results in last.values())] for name in names]
    return table(["ns per line (of CRC-32C: per KiB)", *last], rows) if rows else ""


def about_text(results, command):
    about = results.about
    m, v = about.get("machine", {}), about.get("versions", {})
    day = time.strftime("%Y-%m-%d", time.gmtime(about.get("when", time.time())))
    rows = [["day", day], ["machine", f"{m.get('processor')}, {m.get('cores')} cores, {m.get('memory')}, {m.get('architecture')}"],
            ["system", f"{m.get('system')}, Linux {m.get('kernel')}"],
            *([name, value] for name, value in v.items() if value),
            ["runs", f"{about.get('reps')} repetitions, systems in turn; {about.get('seconds'):g} seconds each"],
            ["sink", f"acknowledges {about.get('ack_ms'):g} ms after the append, {about.get('partitions')} partitions a topic"]]
    return table(["", ""], rows) + f"\n\n```sh hand\n{command}\n```"


def write(files, command):
    results = load(files)
    with open(os.path.join(HERE, "page.md")) as f:
        page = f.read()
    images = "\n\n".join(f"![{what}]({file})" for file, what in draw(results))
    noisy = sum(1 for w in results.rows.values() for rs in w.values() for r in rs if r.get("noisy"))
    every = sum(len(rs) for w in results.rows.values() for rs in w.values())
    failed = sum(1 for w in results.rows.values() for rs in w.values() for r in rs if "error" in r)
    quiet = f"{every} runs are kept; {noisy} of them were disturbed by other processes even when repeated, and {failed} failed."
    for name, text in {"about": about_text(results, command), "ratios": ratio_table(results), "plots": images, "tables": tables(results),
                       "configurations": configurations(), "quiet": quiet, "stages": stages_table()}.items():
        page = page.replace("{{" + name + "}}", text)
    path = os.path.join(DOCS, "BENCHMARKS.md")
    with open(path, "w") as f:
        f.write(page)
    deno = shutil.which("deno")
    if deno:
        subprocess.run([deno, "fmt", "-q", "BENCHMARKS.md", *(f"benchmarks/{n}" for n in os.listdir(os.path.join(DOCS, "benchmarks")))], cwd=DOCS, check=False)
    print(f"wrote {os.path.relpath(path)}")
