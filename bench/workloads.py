"""What the forwarders are put to: one entry a workload.

mode    what the forwarder has to do: `raw` line forwarded as it is; `tls` the same over TLS; `json` the JSON text behind
        the header to topic logs-<app>; `parsed` header and message as a JSON object; `hotdog` three rules.
rate    lines per second on a fixed schedule; without it the sender sends for as long as it is told, at full speed.
seconds least length where what is to be seen takes its time; else --seconds decides.
outage  (second at which the broker goes away, for how many).
systems the rows, where they are not the usual ones (`usual`).
"""

# corndog, the same source on the other runtime, the peers as tuned by hand.
usual = ["corndog", "corndog-deno", "rsyslog", "syslog-ng"]
defaults = ["corndog-default", "rsyslog-default", "syslog-ng-default"]


def _w(text, mode="raw", conns=4, size=200, fmt="rfc5424", systems=usual, **more):
    return dict(text=text, mode=mode, conns=conns, size=size, fmt=fmt, systems=systems, **more)


def _connections(conns):
    return _w(f"50,000 lines/s over {conns:,} connections", conns=conns, rate=50_000)


WORKLOADS = {
    "W1": _w("200-byte RFC 5424 over 4 connections at full speed, forwarded as they are"),
    "W2": _w("as W1 over 500 connections", conns=500),
    "W3": _w("300-byte JSON, routed by one of its fields to 8 topics", mode="json", size=300, fmt="json"),
    "W4": _w("as W1 over TLS", mode="tls"),
    "W5": _w("50,000 lines/s, the broker is gone from second 2 to second 7", rate=50_000, seconds=11, outage=(2.0, 5.0), stall=8),
    "W6": _w("200-byte RFC 5424, header and message parsed into a JSON object", mode="parsed"),
    "S1": _w("as W1, every batch fsynced before it is acknowledged or sent", systems=["corndog-fsync"]),
    "D1": _w("as W1 with the defaults of each system", systems=defaults),
    "F1": _w("as W1 over one connection", conns=1),
    "L0": _w("5,000 lines/s over 4 connections", rate=5_000),
    "L1": _w("50,000 lines/s over 4 connections", rate=50_000),
    "L2": _w("50,000 lines/s over 500 connections", conns=500, rate=50_000),
    "C1-10": _connections(10),
    "C1-100": _connections(100),
    "C1-1000": _connections(1_000),
    "C1-10000": _connections(10_000),
    # Not part of a run without --workloads.
    "W5b": _w("full speed, the broker is gone from second 1 to second 6", seconds=9, outage=(1.0, 5.0), stall=8),
    "S2": _w("as W1 with each durability of the spool", systems=["corndog", "corndog-os", "corndog-fsync"]),
    "W7": _w("200 bytes, hotdog's three rules", mode="hotdog", fmt="mixed", systems=["corndog", "corndog-deno"]),
    "R1": _w("W1 at 1,050,000 lines/s", rate=1_050_000, systems=["corndog", "corndog-deno"]),
    "R7": _w("W7 at 420,000 lines/s", mode="hotdog", fmt="mixed", rate=420_000, systems=["corndog", "corndog-deno"]),
}

# What one name stands for in --workloads.
GROUPS = {
    "C1": ["C1-10", "C1-100", "C1-1000", "C1-10000"],
    "all": ["W1", "W2", "W3", "W4", "W5", "W6", "S1", "D1", "F1", "L0", "L1", "L2", "C1", "H1"],
    "short": ["W1", "W3", "W4", "W6", "S1", "D1", "L1", "L2"],
}

# Lines that are sent at full speed in a second at most: the room for ids at the sink.
LINES_PER_S_MAX = 6_000_000


def expand(names):
    """Workload names and groups, separated by commas, in the order of this file's groups."""
    out = []
    for name in names.split(","):
        for one in expand(",".join(GROUPS[name])) if name in GROUPS else [name]:
            if one not in WORKLOADS and one != "H1":
                raise SystemExit(f"there is no workload {one}; there are {', '.join([*WORKLOADS, 'H1', *GROUPS])}")
            if one not in out:
                out.append(one)
    return out
