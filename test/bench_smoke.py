#!/usr/bin/python3
"""`quorate bench` against a server: every operation is answered rightly, the figures add up, nothing is left behind."""

import json
import os
import subprocess
import tempfile

from harness import cases, protocol, servers
from harness.cases import check, same

KINDS = {"create", "set", "get", "exists", "children", "multi", "lock"}


class Generator:
    def __init__(self, binary, server):
        self.binary = binary
        self.server = server

    def run(self, *arguments, expected_code=0):
        """The JSON that one run wrote, and what it printed."""
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "bench.json")
            command = [self.binary, "bench", "--servers", f"127.0.0.1:{self.server.port}", "--json", file]
            command += ["--server-pid", str(self.server.process.pid), *map(str, arguments)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
            same(done.returncode, expected_code, f"the exit code of {' '.join(command)}:\n{done.stdout}{done.stderr}")
            if not os.path.exists(file):
                return {}, done.stdout + done.stderr
            with open(file) as text:
                return json.load(text), done.stdout


def judge_load(load, kinds, operations_min):
    same(set(load["kinds"]), kinds, "the kinds of operations")
    for name in ("failed", "wrong", "lost", "connections_lost"):
        same(load[name], 0, name)
    check(load["operations"] >= operations_min, f"only {load['operations']} operations")
    same(sum(kind["operations"] for kind in load["kinds"].values()), load["operations"], "the sum over all kinds")
    latency = load["all"]
    order = [latency[name] for name in ("p50_us", "p90_us", "p99_us", "p99_9_us", "max_us")]
    same(order, sorted(order), "percentiles rise")
    check(load["server"]["resident_bytes"] > 0, "the server's memory was read")


def every_kind(generator):
    load = generator.run(
        *("--connections", 8, "--depth", 4, "--seconds", 1, "--warmup", 0.2, "--keys", 500),
        *("--mix", "create=1,set=3,get=3,exists=1,children=1,multi=1,lock=1"),
    )[0]["load"]
    judge_load(load, KINDS, 100)
    return f"{load['operations_per_second']:.0f} operations a second"


def counted(generator):
    load = generator.run("--connections", 3, "--depth", 2, "--operations", 3000, "--mix", "set,get")[0]["load"]
    same(load["operations"], 3000, "operations")
    judge_load(load, {"set", "get"}, 3000)


def open_loop(generator):
    load = generator.run("--connections", 4, "--depth", 8, "--rate", 200, "--seconds", 1, "--warmup", 0.2, "--mix", "set")[0]
    judge_load(load["load"], {"set"}, 150)
    check(load["load"]["operations"] <= 260, f"{load['load']['operations']} operations at 200 a second")


def threads(generator):
    load = generator.run("--connections", 5, "--threads", 2, "--seconds", 1, "--warmup", 0, "--mix", "get")[0]["load"]
    judge_load(load, {"get"}, 50)


def watches(generator):
    outcome = generator.run("--watches", 50, "--seconds", 1, "--warmup", 0)[0]["watches"]
    rounds = outcome["all"]["operations"]
    check(rounds > 0, "no change was made")
    same(outcome["each"]["operations"], 50 * rounds, "notifications")


def idle(generator):
    same(generator.run("--idle-sessions", 100, "--seconds", 1)[0]["idle"]["connections_lost"], 0, "connections lost")


def wrong_data_is_noticed(generator):
    """Somebody else changes the keys: the load must say that the answers are wrong, and fail."""
    generator.run("--prepare", 10)
    other = protocol.opened(generator.server.port)
    for key in range(10):
        same(other.call(5, protocol.set_data_body(f"/quorate-bench/d0000000/k{key:09d}", b"x" * 100)).error, 0, "set")
    other.close_session()
    load = generator.run("--keys", 10, "--existing-keys", "--operations", 100, "--mix", "get", expected_code=1)[0]["load"]
    same(load["wrong"], 100, "wrong answers")
    same(load["operations"], 0, "operations that count")


def missing_keys_are_errors(generator):
    load = generator.run("--root", "/nowhere", "--existing-keys", "--operations", 50, "--mix", "get", expected_code=1)[0]["load"]
    same(load["errors"], {"-101 NoNode": 50}, "errors")


def cleaning(generator):
    generator.run("--only-clean")
    other = protocol.opened(generator.server.port)
    same(other.get("/quorate-bench").error, -101, "what is left of /quorate-bench")
    other.close_session()


def bad_arguments(generator):
    text = generator.run("--mix", "fetch=1", expected_code=1)[1]
    check("fetch=1" in text, f"the message does not name what is wrong: {text}")


def main():
    options = servers.arguments(__doc__.splitlines()[0]).parse_args()
    report = cases.Report(options.only)
    server = servers.tested(options)
    server.start()
    generator = Generator(options.quorate, server)
    for case in (every_kind, counted, open_loop, threads, watches, idle, wrong_data_is_noticed, missing_keys_are_errors):
        report.run(case.__name__.replace("_", " "), case, generator, before_failure=server.log_tail)
    report.run("cleaning", cleaning, generator)
    report.run("bad arguments", bad_arguments, generator)
    server.destroy()
    report.finish()


if __name__ == "__main__":
    main()
