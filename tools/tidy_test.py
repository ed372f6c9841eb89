#!/usr/bin/env python3
"""The house rules must bite: each is broken once in a scratch checkout and has to be found."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent

# path of the planted file, its text, a piece of the finding
CASES = [
    ("src/tree/planted.cpp", "#include <chrono>\n", "in the pure room tree"),
    ("src/raft/planted.cpp", "long f() { return std::chrono::steady_clock::now(); }\n", "in the pure room raft"),
    ("src/tree/planted.cpp", '#include "raft/types.hpp"\n', "tree may not include raft"),
    ("src/base/planted.cpp", '#include "nowhere.hpp"\n', "not rooted at src/"),
    ("src/base/planted.hpp", "int f();\n", "#pragma once"),
    ("src/base/planted.cpp", "// a line\n" * 601, "601 lines, at most 600"),
    ("src/base/planted.cpp", "int f() {\n" + "  ;\n" * 70 + "}\n", "a function of 72 lines"),
    ("src/base/planted.cpp", "void A::f() const {\n" + "  ;\n" * 70 + "}\n", "a function of 72 lines"),
    ("src/base/planted.cpp", "A::A(int b) : b_(b) {\n" + "  ;\n" * 70 + "}\n", "a function of 72 lines"),
    ("src/base/planted.cpp", "// TO" + "DO later\n", "unfinished work"),
    ("src/base/planted_test.cpp", "void f() { usleep(1); }\n", "a sleep in a test"),
    ("src/net/planted.cpp", "std::thread t;\n", "threads start in server and cli only"),
    ("src/base/planted.cpp", "#define LOUD 1\n", "a macro of our own"),
    ("src/sim/planted.cpp", "int f(Prng& prng) { return g(prng.below(6), prng.chance(1, 2)); }\n", "two draws of a Prng"),
    ("src/sim/planted.cpp", "int f() {\n  return g(\n      1 + h(prng_.below(6)),\n      A{prng_.next_u64()});\n}\n", "cpp:2: two draws"),
    ("src/sim/planted_test.cpp", "A a(prng.next_u64(), random->between(1, 2));\n", "two draws of a Prng"),
    ("src/sim/planted.cpp", "auto f = [&] { return g(prng.below(6), draw_trip()); };\n", "two draws of a Prng"),
    ("src/sim/planted.cpp", "int a = static_cast<int>(prng.below(2)) * static_cast<int>(prng.below(9));\n", "two draws of a Prng"),
    ("src/raft/planted.cpp", "int f() {\n}\n" * 250, "at least one each on average (R-007)"),
]
# and what must not be found
CLEAN = [
    ("src/base/planted.cpp", "int f() {\n" + "  ;\n" * 60 + "}\nint g() {\n" + "  ;\n" * 60 + "}\n"),
    ("src/tree/planted.cpp", '// #include <chrono>\n#include "base/ids.hpp"\n'),
    ("src/net/planted.cpp", "#include <chrono>\n"),
    (
        "src/sim/planted.cpp",
        "int f(Prng& prng) {\n  const A a{prng.below(6), B{prng.chance(1, 2), prng.below(3)}};\n"
        "  g(A{prng.next_u64(), prng.next_u64()}, 3);\n"
        "  if (prng.chance(1, 2)) g(prng.below(prng.chance(1, 9) ? 3 : 4));\n"
        "  const int b = prng.chance(1, 2) && prng.chance(1, 3) ? prng.below(2) : 3;\n"
        "  a[prng.below(3)] = static_cast<int>(prng.below(4));\n"
        "  g([&] { return prng.below(2); }, [&](int c) { return prng.below(c); });\n"
        "  return h(prng.below(7)) >> prng.below(8);\n}\n",
    ),
]


def run_tidy(scratch):
    return subprocess.run([sys.executable, "tools/tidy.py"], cwd=scratch, capture_output=True, text=True)


def main():
    failures = 0
    with tempfile.TemporaryDirectory() as directory:
        scratch = pathlib.Path(directory)
        subprocess.run(["git", "init", "-q"], cwd=scratch, check=True)
        (scratch / "tools").mkdir()
        for name in ("tidy.py", "layers.txt"):
            shutil.copy(ROOT / "tools" / name, scratch / "tools" / name)
        for header in ("base/ids.hpp", "raft/types.hpp"):
            (scratch / "src" / header).parent.mkdir(parents=True, exist_ok=True)
            (scratch / "src" / header).write_text("#pragma once\n")

        for path, text, finding in CASES:
            planted = scratch / path
            planted.parent.mkdir(parents=True, exist_ok=True)
            planted.write_text(text)
            result = run_tidy(scratch)
            if result.returncode != 1 or finding not in result.stdout:
                failures += 1
                print(f"not found: {finding!r} in {path}:\n{result.stdout}")
            planted.unlink()
        for path, text in CLEAN:
            planted = scratch / path
            planted.parent.mkdir(parents=True, exist_ok=True)
            planted.write_text(text)
            result = run_tidy(scratch)
            if result.returncode != 0:
                failures += 1
                print(f"found without reason in {path}:\n{result.stdout}{result.stderr}")
            planted.unlink()
    print(f"tidy_test: {len(CASES) + len(CLEAN)} cases, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
