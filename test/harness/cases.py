"""How a test tells what it did: one line for each case, and an exit code."""

import sys
import time
import traceback


class Failure(Exception):
    """A claim of the case does not hold."""


def check(holds, why):
    if not holds:
        raise Failure(why)


def same(found, wanted, what):
    if found != wanted:
        raise Failure(f"{what}: found {found!r}, wanted {wanted!r}")


class Report:
    """Runs cases by name and prints `ok`, `FAILED`, `skipped` or `NOT TESTED` with the seconds that each took."""

    def __init__(self, only=None):
        self.only = only
        self.passed = 0
        self.failed = []
        self.skipped = 0
        self.untested = []

    def run(self, name, case, *arguments, before_failure=None):
        if self.only and self.only not in name:
            return None
        begun = time.monotonic()
        try:
            note = case(*arguments)
        except Exception as error:  # A case must not take the others with it, whatever it runs into.
            self.failed.append(name)
            print(f"FAILED  {name} ({time.monotonic() - begun:.1f} s): {error}", flush=True)
            if not isinstance(error, Failure):
                traceback.print_exc()
            if before_failure:
                print(before_failure(), flush=True)
            return False
        self.passed += 1
        print(f"ok      {name} ({time.monotonic() - begun:.1f} s){': ' + note if isinstance(note, str) else ''}", flush=True)
        return True

    def skip(self, name, why):
        if self.only and self.only not in name:
            return
        self.skipped += 1
        print(f"skipped {name}: {why}", flush=True)

    def not_tested(self, name, why):
        """As skip(), for what should have been tested and could not be here: the last line says so again."""
        if self.only and self.only not in name:
            return
        self.untested.append(name)
        print(f"NOT TESTED {name}: {why}", flush=True)

    def finish(self):
        total = self.passed + len(self.failed)
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        untested = f", NOT TESTED: {', '.join(self.untested)}" if self.untested else ""
        print(f"{self.passed} of {total} passed{skipped}{untested}", flush=True)
        if total == 0:
            print("no case was run", flush=True)
        sys.exit(1 if self.failed or total == 0 else 0)
