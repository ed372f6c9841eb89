#!/usr/bin/python3
"""`quorate sim` from the command line: what it refuses, what it says of a failure, and that its replay is that run."""

import argparse
import json
import os
import re
import shlex
import signal
import subprocess
import tempfile

from harness import cases, waiting
from harness.cases import check, same

GREATEST = 2**64 - 1
# Arguments, and what the message has to name.
REFUSED = [
    (["--seed", "-1"], ["--seed", "'-1'"]),
    (["--seed", str(GREATEST + 1)], ["--seed", f"'{GREATEST + 1}'"]),
    (["--seed", "1x"], ["--seed", "'1x'"]),
    (["--seed", "1", "--seeds", "1..2"], ["--seed", "--seeds"]),
    (["--seeds", "2..1"], ["--seeds", "'2..1'"]),
    (["--seeds", f"0..{GREATEST}"], ["--seeds", f"'0..{GREATEST}'"]),
    (["--seeds", "1..x"], ["--seeds", "'1..x'"]),
    (["--jobs", "0"], ["--jobs", "'0'"]),
    (["--servers", "8"], ["--servers", "'8'"]),
    (["--seconds", "0"], ["--seconds", "'0'"]),
    (["--steps", "-5"], ["--steps", "'-5'"]),
    (["--run-limit", "0"], ["--run-limit", "'0'"]),
    (["--until-us", "-5"], ["--until-us", "'-5'"]),
    (["--seed", "1", "--seconds", "2", "--until-us", "2000001"], ["--until-us", "2000001"]),
    (["--profile", "storms"], ["--profile", "'storms'"]),
    (["--seed", "1", "--only-faults", "garbage"], ["--only-faults", "'garbage'"]),
    (["--seed", "1", "--only-faults", "0,x,3"], ["--only-faults", "'0,x,3'"]),
    (["--seed", "1", "--only-faults", "900"], ["--only-faults", "900"]),
    (["--seed", "1", "--only-faults", ""], ["--only-faults", "''"]),
    (["--only-faults", "1"], ["--only-faults", "--seed"]),
    (["--seeds", "1..2", "--trace", "trace.jsonl"], ["--trace", "--seed"]),
    (["--seed", "1", "--goals"], ["--goals", "--seed"]),
    (["--seed", "1", "--seconds", "1", "--trace", "/nowhere/trace.jsonl"], ["--trace", "/nowhere/trace.jsonl"]),
    (["--seed", "1", "--seconds", "1", "--trace", "/dev/full"], ["--trace", "/dev/full"]),
]


def run(binary, *arguments, expected_code):
    command = [binary, "sim", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    same(done.returncode, expected_code, f"the exit code of {shlex.join(command)}:\n{done.stdout[-2000:]}{done.stderr}")
    return done


def wrong_arguments(binary):
    for arguments, named in REFUSED:
        message = run(binary, *arguments, expected_code=2).stderr
        for piece in named:
            check(piece in message, f"{arguments}: the message does not name {piece}: {message}")
    return f"{len(REFUSED)} refused"


def edges_of_the_seeds(binary):
    short = ["--seconds", "1", "--profile", "calm", "--jobs", "2"]
    for seeds, runs in ((f"{GREATEST}..{GREATEST}", 1), (f"{GREATEST - 2}..{GREATEST}", 3), ("0..0", 1), ("5", 1)):
        output = run(binary, "--seeds", seeds, *short, expected_code=0).stdout
        check(output.startswith(f"{runs} runs,"), f"{seeds}: {output}")
    run(binary, "--seed", str(GREATEST), "--seconds", "1", expected_code=0)


def traces(binary):
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "trace.jsonl")
        run(binary, "--seed", "3", "--seconds", "2", "--trace", file, expected_code=0)
        with open(file) as lines:
            events = [json.loads(line) for line in lines]
    times = [event["us"] for event in events]
    check(len(times) > 1000 and times == sorted(times), f"{len(times)} events in order")


def goals(binary):
    few = ["--seeds", "1..2", "--seconds", "1"]
    check("not shown" not in run(binary, *few, expected_code=0).stdout, "a few runs have no goals to reach")
    output = run(binary, *few, "--goals", expected_code=24).stdout
    check(re.search(r"^not shown, I-505: no run reached: fault wipe$", output, flags=re.M), output)


def headlines(output):
    return re.findall(r"^seed \d+ violates .*$", output, flags=re.M)


def replays(output):
    return [shlex.split(line)[2:] for line in re.findall(r"^  (quorate sim .*)$", output, flags=re.M)]


def a_failure(canary):
    campaign = run(canary, "--seeds", "1..2000", "--profile", "swarm", "--seconds", "20", "--jobs", "2", expected_code=1).stdout
    found, commands = headlines(campaign), replays(campaign)
    same((len(found), len(commands)), (3, 2), "headlines and commands")  # At once, with its events, and the smaller one.
    same(found[0], found[1], "the failure")
    check(re.search(r"^  +\d+\.\d{6} s  server \d", campaign, flags=re.M), "the last events are told")
    check('{"us"' not in campaign, "in words")

    alone = run(canary, *commands[0], "--no-shrink", expected_code=1).stdout
    same(headlines(alone), found[:1], "what --seed alone finds")
    same(replays(alone), commands[:1], "and how it is replayed")

    check("--seconds 20" in " ".join(commands[1]), "the time that faults are drawn for stays")
    smaller = run(canary, *commands[1], expected_code=1).stdout
    same(headlines(smaller), found[2:], "what the smaller run finds")
    same(found[2].split(": ")[0], found[0].split(": ")[0], "the rule")
    end = "the last events"
    same(events_of(smaller, end), events_of(campaign[campaign.rindex("are enough:") :], end), "its last events")
    return found[0]


def events_of(output, heading):
    return re.findall(r"^  +\d+\.\d{6} s .*$", output[output.index(heading) :], flags=re.M)


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]


def a_death(binary):
    """What an assertion, or a run that does not end, does to the process of a run that is watched."""
    for number, told in ((signal.SIGABRT, "violates R-007: its process ended by signal 6"), (signal.SIGXCPU, "violates F-001: ")):
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "trace.jsonl")
            command = [binary, "sim", "--seed", "3", "--seconds", "20000", "--no-shrink", "--trace", file]
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
                try:
                    waiting.until(lambda: os.path.exists(file) and os.path.getsize(file) > 100_000, 30, "the run is traced")
                    for child in children_of(process.pid):
                        os.kill(child, number)
                    output, _ = process.communicate(timeout=60)
                finally:
                    process.kill()
            same(process.returncode, 1, f"the exit code: {output}")
            check(told in output, output)
            same(replays(output), [["--seed", "3", "--profile", "crashes", "--seconds", "20000"]], "the command")
            with open(file) as lines:
                events = [json.loads(line) for line in lines]
        shown = events_of(output, "the last events")
        last = [event for event in events if not event.get("message", "").startswith("heartbeat")][-1]
        same(len(shown), 40, "the last events")
        check(shown[-1].strip().startswith(f"{last['us'] // 1_000_000}.{last['us'] % 1_000_000:06} s"), f"{shown[-1]}: {last}")


def main():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quorate", default=os.path.join(root, "build/release/quorate"))
    parser.add_argument("--canary", default=os.path.join(root, "build/release/quorate_canary"), help="with a rule broken")
    parser.add_argument("--only", help="cases whose names contain this")
    options = parser.parse_args()
    report = cases.Report(options.only)
    for case in (wrong_arguments, edges_of_the_seeds, traces, goals, a_death):
        report.run(case.__name__.replace("_", " "), case, options.quorate)
    report.run("a failure", a_failure, options.canary)
    report.finish()


if __name__ == "__main__":
    main()
