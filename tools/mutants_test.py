#!/usr/bin/env python3
"""What tools/mutants.py takes for a mutant that does not end, and how it keeps its table."""

import pathlib
import sys
import tempfile

import mutants

SPINS = "while True: pass"
# As somebody whose machine is busy: long by the clock on the wall, and little work.
WAITS = "import select; select.select([], [], [], 2.5)"
FAILS = "print('[ RUN      ] Log.is_short'); print('assertion failed: it is short'); raise SystemExit(1)"


def binary(folder, code):
    path = pathlib.Path(folder) / "binary"
    path.write_text(f"#!{sys.executable}\n{code}\n")
    path.chmod(0o755)
    return path


def judged(code):
    with tempfile.TemporaryDirectory() as folder:
        return mutants.judged_by_test(binary(folder, code), "Log.*", folder, processor_seconds=1)


def table():
    mutant = mutants.read_mutants(["vote_twice"])[0]
    verdict = mutants.Verdict(mutant, {"tables": "Log.is_short"}, seeds=7)
    with tempfile.TemporaryDirectory() as folder:
        page = pathlib.Path(folder) / "README.md"
        page.write_text("| `vote_twice` | old |\n| `vote_for_any_log` | kept |\n| `gone` | no mutant any more |\n")
        mutants.write_table([verdict], page)
        return [line for line in page.read_text().splitlines() if "vote_" in line or "gone" in line][:2]


def main():
    cases = [
        ("one that spins", judged(SPINS), "does not end"),
        ("one that waits", judged(WAITS), None),
        ("one that fails", judged(FAILS), "Log.is_short (it is short)"),
        (
            "the table",
            table(),
            [
                "| `vote_for_any_log` | kept |",
                "| `vote_twice` | R-205 | a server votes for whoever asks, also twice in a term | tables: Log.is_short | none of 7 |  |",
            ],
        ),
    ]
    failures = 0
    for name, found, wanted in cases:
        if found != wanted:
            failures += 1
            print(f"{name}: found {found!r}, wanted {wanted!r}")
    print(f"mutants_test: {len(cases)} cases, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
