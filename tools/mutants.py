#!/usr/bin/env python3
"""Breaks one rule of the core at a time and looks who notices (docs/raft.md, "Mutants").

    tools/mutants.py [NAME ...]     builds and runs the mutants of test/mutants, all by default
    tools/mutants.py --applies      only proves that every patch still fits
    tools/mutants.py --sample 5     five of them; others for each commit
    tools/mutants.py --write DIR NAME ...   writes the broken files below DIR, for a binary that is always built so

A patch is a unified diff behind two lines: "# rule: R-xxx" and "# breaks: ...". Each of its hunks has to fit in exactly one
place, wherever that has moved. Nothing in the tree is changed: the broken files are compiled in build/mutants and linked
in front of the libraries of the release build. Exit code 1: one survived, or does not fit.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import math
import os
import pathlib
import re
import resource
import shlex
import signal
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PATCHES = ROOT / "test/mutants"
# What notices: a room's tests, by group; and the simulator for what it is made of.
TESTS = {
    "raft": ("raft_test", {"scenarios": "Scenarios.go*", "tables": "*-Scenarios.*:Cluster.random*", "worlds": "Cluster.random*"}),
    "replica": ("replica_test", {"tables": "Pump*"}),
    "paxos": ("paxos_test", {"tables": "*"}),
}
SIMULATED = {"raft", "replica"}
# A mutant whose tests take so many times the processor time that they take without it, and so many seconds at least, does
# not end. Processor time: a machine that is busy with something else kills nobody.
TIMES_SOUND = 20
TEST_SECONDS_MIN = 10
RUN_SECONDS = 60  # The same for a simulated run, which takes less than one.
SIM_OPTIONS = ["--no-shrink", "--run-limit", str(RUN_SECONDS)]
WALL_SECONDS = 1800  # Of anything: no verdict.
MEMORY_BYTES = 4 << 30


class Misfit(Exception):
    pass


@dataclasses.dataclass
class Mutant:
    name: str
    rule: str
    breaks: str
    diff: str

    def files(self):
        return re.findall(r"^\+\+\+ b/(\S+)$", self.diff, flags=re.M)

    def rooms(self):
        return {pathlib.Path(file).parts[1] for file in self.files()}


def read_mutant(path):
    text = path.read_text()
    header = re.match(r"# rule: (.+)\n# breaks: (.+)\n", text)
    if header is None:
        raise Misfit(f"{path.name}: begins without '# rule:' and '# breaks:'")
    return Mutant(path.stem, header.group(1), header.group(2), text[header.end() :])


def read_mutants(names):
    paths = [PATCHES / f"{name}.patch" for name in names] or sorted(PATCHES.glob("*.patch"))
    for path in paths:
        if not path.is_file():
            raise Misfit(f"there is no mutant '{path.stem}'")
    return [read_mutant(path) for path in paths]


def hunks_of(diff):
    """Yields (file, old text, new text) of each hunk."""
    for part in re.split(r"^--- ", diff, flags=re.M)[1:]:
        file = re.search(r"^\+\+\+ b/(\S+)$", part, flags=re.M).group(1)
        for hunk in re.split(r"^@@.*\n", part, flags=re.M)[1:]:
            lines = [line for line in hunk.split("\n") if line and line[0] in " +-"]
            old = "".join(line[1:] + "\n" for line in lines if line[0] != "+")
            new = "".join(line[1:] + "\n" for line in lines if line[0] != "-")
            yield file, old, new


def broken_files(mutant):
    """The mutant's files, changed: {path: text}."""
    texts = {}
    for file, old, new in hunks_of(mutant.diff):
        path = ROOT / file
        text = texts.get(file) or (path.read_text() if path.is_file() else "")
        places = ("\n" + text).count("\n" + old)
        if places != 1:
            raise Misfit(f"{mutant.name}: a hunk fits in {places} places of {file}:\n{old}")
        texts[file] = ("\n" + text).replace("\n" + old, "\n" + new)[1:]
    if not texts or any(text == (ROOT / file).read_text() for file, text in texts.items()):
        raise Misfit(f"{mutant.name}: changes nothing")
    return texts


def write_broken(mutant, directory):
    for file, text in broken_files(mutant).items():
        path = directory / file
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_text() != text:
            path.write_text(text)


# ---- Building.


class Build:
    """The release tree, and mutants beside it."""

    def __init__(self, directory, ninja_jobs):
        self.directory = directory
        targets = ["raft_test", "replica_test", "paxos_test", "quorate"]
        if not (directory / "build.ninja").is_file():
            subprocess.run(["cmake", "--preset", "release"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["ninja", "-C", directory, "-j", str(ninja_jobs), *targets], check=True, stdout=subprocess.DEVNULL)
        self.commands = {
            entry["file"]: entry["command"] for entry in json.loads((directory / "compile_commands.json").read_text())
        }
        self.links = {target: self.link_command(target) for target in targets}
        self.launcher = ["ccache"] if subprocess.run(["which", "ccache"], capture_output=True).returncode == 0 else []

    def link_command(self, target):
        listed = subprocess.run(
            ["ninja", "-C", self.directory, "-t", "commands", target], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        return re.sub(r"^: && (.*) && :$", r"\1", listed[-1])

    def sources(self, mutant, scratch):
        """What has to be compiled anew: the broken sources, and all of a room whose header is broken."""
        sources = {}
        for file in mutant.files():
            path = ROOT / file
            if path.suffix == ".cpp":
                sources[path] = scratch / file
            else:
                for user in sorted(path.parent.glob("*.cpp")):
                    if not re.search(r"_(test|bench|fuzz)\.cpp$", user.name):
                        sources.setdefault(user, user)
        return sources

    def compile(self, mutant, scratch):
        objects = []
        for original, source in self.sources(mutant, scratch).items():
            result = scratch / (original.stem + ".o")
            words = shlex.split(self.commands[str(original)])
            words = words[: words.index("-o")]
            words.insert(1, f"-I{scratch / 'src'}")  # Before the sound headers.
            words.append("-Wno-error")  # What a mutant leaves unused is no matter.
            self.run([*self.launcher, *words, "-o", str(result), "-c", str(source)])
            objects.append(str(result))
        return objects

    def link(self, target, objects, scratch):
        words = shlex.split(self.links[target])
        at = words.index("-o")
        binary = scratch / target
        self.run([*words[:at], *objects, "-o", str(binary), *words[at + 2 :]])
        return binary

    def run(self, words):
        done = subprocess.run(words, cwd=self.directory, capture_output=True, text=True)
        if done.returncode != 0:
            raise Misfit("does not compile:\n" + done.stderr[-2000:])


# ---- Running.


def limits_of(processor_seconds):
    """What a child does to itself before it runs."""

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if processor_seconds is not None:
            resource.setrlimit(resource.RLIMIT_CPU, (processor_seconds, processor_seconds + 5))

    return limit


def run_binary(words, directory, processor_seconds=None):
    """(exit code, output); None for what the clock on the wall has stopped."""
    with subprocess.Popen(
        words, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        preexec_fn=limits_of(processor_seconds), start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=WALL_SECONDS)
            return process.returncode, output
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.communicate()
            return None, ""


def processor_seconds_used():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def assertion_in(output):
    found = re.findall(r"assertion failed: (.*)", output)
    return found[-1] if found else None


def judged_by_test(binary, pattern, directory, processor_seconds=None):
    """What a group of tests says against it, or nothing; `processor_seconds`: more means that it does not end."""
    stops = [] if pattern.startswith("Scenarios") else ["--gtest_break_on_failure"]  # All scenarios are named.
    code, output = run_binary([binary, f"--gtest_filter={pattern}", *stops], directory, processor_seconds)
    if code == 0:
        return None
    if code in (None, -signal.SIGKILL):  # By the clock on the wall, or by somebody else.
        raise Misfit(f"no verdict, it was killed: {pattern}")
    if code == -signal.SIGXCPU:
        return "does not end"
    files = re.findall(r"_test\.cpp:\d+: ([a-z0-9_]+)\.txt", output)
    if files:
        more = len(set(files)) - 1
        return files[0] + (f" and {more} more" if more else "")
    running = re.findall(r"^\[ RUN      \] (\S+)", output, flags=re.M)
    assertion = assertion_in(output)
    return (running[-1] if running else "ends early") + (f" ({assertion})" if assertion else "")


@dataclasses.dataclass
class Verdict:
    mutant: Mutant
    tests: dict
    seed: int | None = None
    invariant: str = ""
    misfit: str = ""
    seconds: float = 0
    seeds: int = 0  # So many were simulated at most.

    def is_killed(self):
        return self.seed is not None or any(self.tests.values())


def judged_by_simulator(verdict, binary, build, seeds):
    """The first seed that fails with the mutant and not without."""
    first = 1
    while first <= seeds:
        code, output = run_binary(
            [binary, "sim", "--seeds", f"{first}..{seeds}", "--jobs", "1", "--no-goals", *SIM_OPTIONS], build.directory
        )
        found = re.search(r"^seed (\d+) violates (\S+): ", output, flags=re.M)
        if code == 0:
            return
        if found is None:
            verdict.invariant = "no verdict in time" if code is None else f"exit code {code}"
            return
        seed = int(found.group(1))
        alone, _ = run_binary([build.directory / "quorate", "sim", "--seed", str(seed), *SIM_OPTIONS], build.directory)
        if alone == 0:
            verdict.seed = seed
            assertion = assertion_in(output) if found.group(2) == "R-007" else None
            verdict.invariant = found.group(2) + (f", {assertion}" if assertion else "")
            return
        first = seed + 1


def judge(mutant, build, limits, options):
    began = time.monotonic()
    verdict = Verdict(mutant, {})
    scratch = ROOT / "build/mutants" / mutant.name
    try:
        write_broken(mutant, scratch)
        objects = build.compile(mutant, scratch)
        for room in sorted(mutant.rooms()) if not options.no_tests else []:
            target, groups = TESTS[room]
            binary = build.link(target, objects, scratch)
            for group, pattern in groups.items():
                verdict.tests[group] = judged_by_test(binary, pattern, build.directory, limits[room, group])
            binary.unlink()
        if mutant.rooms() & SIMULATED and options.seeds > 0:
            verdict.seeds = options.seeds
            binary = build.link("quorate", objects, scratch)
            judged_by_simulator(verdict, binary, build, options.seeds)
            binary.unlink()
    except Misfit as misfit:
        verdict.misfit = str(misfit)
    verdict.seconds = time.monotonic() - began
    return verdict


def check_sound(build, mutants):
    """What fails without a mutant proves nothing with one. Returns the processor seconds that each group may take."""
    limits = {}
    for room in sorted(set().union(*(mutant.rooms() for mutant in mutants))):
        target, groups = TESTS[room]
        for group, pattern in groups.items():
            before = processor_seconds_used()
            found = judged_by_test(build.directory / target, pattern, build.directory)
            if found:
                raise Misfit(f"{target} fails without a mutant, {group}: {found}")
            limits[room, group] = max(TEST_SECONDS_MIN, math.ceil(TIMES_SOUND * (processor_seconds_used() - before)))
    return limits


# ---- Telling.


def line_of(verdict):
    if verdict.misfit:
        return f"{verdict.mutant.name:36} ERROR {verdict.misfit}"
    seen = [f"{group}: {what}" for group, what in verdict.tests.items() if what]
    if verdict.seed is not None:
        seen.append(f"seed {verdict.seed}: {verdict.invariant}")
    elif verdict.invariant:
        seen.append(verdict.invariant)
    word = "killed  " if verdict.is_killed() else "SURVIVED"
    return f"{verdict.mutant.name:36} {word} {verdict.seconds:4.0f} s  {'; '.join(seen)}"


def cell(text):
    return text.replace("|", "\\|") if text else ""


def row_of(verdict):
    tests = "; ".join(f"{group}: {what}" for group, what in verdict.tests.items() if what)
    seed = str(verdict.seed) if verdict.seed is not None else f"none of {verdict.seeds}" if verdict.seeds else ""
    mutant = verdict.mutant
    return f"| `{mutant.name}` | {mutant.rule} | {cell(mutant.breaks)} | {cell(tests)} | {seed} | {cell(verdict.invariant)} |"


def write_table(verdicts, path):
    """The page's table, in Markdown; whoever was not judged now keeps its row."""
    rows = dict(re.findall(r"^(\| `(\w+)` .*)$", path.read_text(), flags=re.M)) if path.is_file() else {}
    rows = {name: row for row, name in rows.items()}
    rows.update({verdict.mutant.name: row_of(verdict) for verdict in verdicts if not verdict.misfit})
    mutants = sorted(path.stem for path in PATCHES.glob("*.patch"))
    lines = [
        "# Mutants",
        "",
        "What [they are](../../docs/raft.md#mutants), and who notices. Written by `tools/mutants.py --table`; each row is of the last time",
        "that its mutant was judged. Seed: the first run of `quorate sim` that fails with it and not without, or how many it passed;",
        "empty: not known (`src/paxos` is not simulated).",
        "",
        "| mutant | rule | what it breaks | tests | seed | seen there as |",
        "|---|---|---|---|---|---|",
        *(rows[name] for name in mutants if name in rows),
    ]
    unjudged = [name for name in mutants if name not in rows]
    if unjudged:
        lines += ["", "Not judged yet: " + ", ".join(f"`{name}`" for name in unjudged) + "."]
    path.write_text("\n".join(lines) + "\n")


def sample_of(mutants, count):
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    start = int(commit or time.strftime("%Y%m%d"), 16)
    step = len(mutants) // count
    return [mutants[(start + i * step) % len(mutants)] for i in range(count)]


def run_all(mutants, options):
    build = Build(options.build, options.jobs)
    limits = {} if options.no_tests else check_sound(build, mutants)
    verdicts = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        running = [pool.submit(judge, mutant, build, limits, options) for mutant in mutants]
        for verdict in (done.result() for done in concurrent.futures.as_completed(running)):
            verdicts.append(verdict)
            print(line_of(verdict), flush=True)
    verdicts.sort(key=lambda verdict: verdict.mutant.name)
    if options.table:
        write_table(verdicts, options.table)
    survivors = [verdict.mutant.name for verdict in verdicts if not verdict.is_killed()]
    seeds = [verdict.seed for verdict in verdicts if verdict.seed is not None]
    simulated = [verdict for verdict in verdicts if verdict.mutant.rooms() & SIMULATED]
    median = f", the median within {statistics.median(seeds):.0f} seeds" if seeds else ""
    print(f"{len(verdicts) - len(survivors)} of {len(verdicts)} mutants killed; the simulator alone killed {len(seeds)} of {len(simulated)}{median}")
    if survivors:
        print("survived: " + " ".join(survivors))
    return 1 if survivors else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--applies", action="store_true")
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--write", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=1000, help="so many simulated runs at most")
    parser.add_argument("--no-tests", action="store_true", help="the simulator alone")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="mutants at a time")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--table", type=pathlib.Path, help="put what was found into this page")
    options = parser.parse_args()
    try:
        mutants = read_mutants(options.names)
        for mutant in mutants:
            broken_files(mutant)
            if options.write:
                write_broken(mutant, options.write)
        if options.write:
            return 0
        print(f"{len(mutants)} mutants fit")
        if options.applies:
            return 0
        return run_all(sample_of(mutants, options.sample) if options.sample else mutants, options)
    except Misfit as misfit:
        print(misfit, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
