#!/usr/bin/env python3
"""House rules that are run, not remembered: sizes, layers, banned words, impure headers.

Prints one line a finding (file:line: rule) and exits 1 if there is any. Reads only files that git tracks or would track.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILE_LINES_MAX = 600
TEST_LINES_MAX = 1000
FUNCTION_LINES_MAX = 70

# Spelled in halves, so that this file does not find itself.
BANNED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
SLEEPS = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep)\s*\(|time\.sleep\(")
IMPURE = re.compile(
    r"#include <(thread|mutex|shared_mutex|condition_variable|future|fstream|filesystem|chrono|random|ctime|"
    r"sys/[^>]*|unistd\.h|fcntl\.h|netinet/[^>]*|arpa/[^>]*|poll\.h|pthread\.h|time\.h)>"
    r"|_clock::now|random_device|\bstd::thread\b|\bgettimeofday\b|\bclock_gettime\b"
)
ASSERTION = re.compile(r"\b(?:ensure|fail)\(")
ASSERTING = {"raft"}  # Rooms with at least one assertion a function on average, in their .cpp files.
THREADS = re.compile(r"\bstd::j?thread\b")
THREAD_HOMES = {"server", "cli"}
INCLUDE = re.compile(r'^#include "([^"]+)"')
MACRO = re.compile(r"^\s*#define\s+(\w+)")
MACROS_ALLOWED = {"XXH_INLINE_ALL"}
DRAW = re.compile(r"[\w\])]\s*(?:\.|->)\s*(?:below|between|chance|next_u64)\s*\(|\bdraw_\w+\s*\(")
CALL = re.compile(r"([\w>\])]+)\s*\(")
NO_CALLS = {"if", "while", "for", "switch", "return", "co_return", "sizeof", "alignof", "decltype", "noexcept", "catch"}


def tracked_files():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def is_test(path):
    return path.name.endswith(("_test.cpp", "_fuzz.cpp", "_bench.cpp")) or "testing" in path.parts or path.parts[0] == "test"


def read_layers():
    allowed, pure = {}, set()
    for line in (ROOT / "tools/layers.txt").read_text().splitlines():
        line = line.split("#")[0].strip()
        if not line:
            continue
        room, _, rooms = line.partition(":")
        if room == "pure":
            pure = set(rooms.split())
        else:
            allowed[room] = set(rooms.split()) | {room}
    return allowed, pure


def strip_comments_and_strings(text):
    """Blanks comments and literals, keeping line breaks, so that braces and words inside them do not count."""

    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))

    pattern = r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9A-Fa-f])\'(?:\\.|[^\'\\\n])+\''
    return re.sub(pattern, blank, text, flags=re.S)


def function_spans(text):
    """Yields (first line, length) of each function body: a brace opened by something that ends a declarator."""
    code = re.sub(r"^\s*#[^\n]*(?:\\\n[^\n]*)*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), strip_comments_and_strings(text), flags=re.M)
    stack = []  # (is_function, line)
    line = 1
    start = 0
    for position, character in enumerate(code):
        if character == "\n":
            line += 1
        elif character == "{":
            head = code[start:position].strip()
            inside = any(function for function, _ in stack)
            opens = (
                not inside
                and re.search(r"\)\s*(const|noexcept|override|final|mutable|->[^;{}]*|:[^;]*|requires[^;{}]*|\s)*$", head) is not None
                and re.match(r"(class|struct|enum|union|namespace)\b(?!.*\))", head) is None
            )
            stack.append((opens, line))
            start = position + 1
        elif character == "}":
            if stack:
                function, first = stack.pop()
                if function:
                    yield first, line - first + 1
            start = position + 1
        elif character == ";":
            start = position + 1


def closing(code, opened):
    """The position of the bracket that closes the one at `opened`; the end of the text if none does."""
    depth = 0
    for position in range(opened, len(code)):
        if code[position] in "([{":
            depth += 1
        elif code[position] in ")]}":
            depth -= 1
            if depth == 0:
                return position
    return len(code)


def without_lambdas(code):
    """Blanks what is in the bodies of lambdas: it runs later."""
    for head in reversed(list(re.finditer(r"\[[^\[\]]*\]\s*(?:\([^()]*\))?\s*(?:mutable\s*)?(?:->[^{};,]*)?\{", code))):
        end = closing(code, head.end() - 1)
        code = code[: head.end()] + re.sub(r"[^\n]", " ", code[head.end() : end]) + code[end:]
    return code


def split_arguments(code):
    """The parts between the commas that are in no bracket."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(code):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(code[start:position])
            start = position + 1
    return [*parts, code[start:]]


# What puts one operand before the other, and what does not (C++17, [intro.execution] and [expr]).
IN_ORDER = re.compile(r"&&|\|\||<<|>>|[;,?{}]|(?<!:):(?!:)|(?<![=!<>])=(?!=)")
IN_NO_ORDER = re.compile(r"[-+*/%|^&<>]|==|!=")


def unordered_draws(text):
    """Yields the lines of expressions that draw twice from a Prng in an order that each compiler chooses for itself."""
    code = strip_comments_and_strings(text)
    draws = list(DRAW.finditer(code))
    if len(draws) < 2:
        return
    for call in CALL.finditer(code):
        if call.group(1) in NO_CALLS:
            continue
        arguments = without_lambdas(code[call.end() : closing(code, call.end() - 1)])
        if sum(1 for argument in split_arguments(arguments) if DRAW.search(argument)) > 1:
            yield code.count("\n", 0, call.start()) + 1
    for first, second in zip(draws, draws[1:]):
        end = closing(code, first.end() - 1)
        between = re.sub(r"->|\b\w+<[^<>;]*>(?=\()", "", code[end + 1 : second.start() + 1])
        if end < second.start() and IN_NO_ORDER.search(between) and not IN_ORDER.search(between):
            yield code.count("\n", 0, first.start()) + 1


def check_source(path, relative, allowed, pure, report):
    text = path.read_text()
    lines = text.splitlines()
    test = is_test(relative)
    limit = TEST_LINES_MAX if test else FILE_LINES_MAX
    if len(lines) > limit:
        report(relative, 1, f"{len(lines)} lines, at most {limit}: a noun is missing")
    if path.suffix == ".hpp" and "#pragma once" not in text:
        report(relative, 1, "a header starts with #pragma once")
    if not test:
        for first, length in function_spans(text):
            if length > FUNCTION_LINES_MAX:
                report(relative, first, f"a function of {length} lines, at most {FUNCTION_LINES_MAX}")

    for line in sorted(set(unordered_draws(text))):
        report(relative, line, "two draws of a Prng in an order that is the compiler's to choose: name them, or use braces")

    room = relative.parts[1] if relative.parts[0] == "src" and len(relative.parts) > 2 else None
    code_lines = strip_comments_and_strings(text).splitlines()
    for number, (line, code) in enumerate(zip(lines, code_lines), 1):
        include = INCLUDE.match(line)
        if include and room:
            target = include.group(1).split("/")[0]
            if not (ROOT / "src" / include.group(1)).is_file():
                report(relative, number, f'includes "{include.group(1)}", which is not rooted at src/')
            elif target not in allowed.get(room, set()):
                report(relative, number, f"{room} may not include {target} (tools/layers.txt)")
        if room in pure and not test and IMPURE.search(line if line.startswith("#") else code):
            report(relative, number, f"clock, chance, thread, file or socket in the pure room {room}")
        if room == "sim" and IMPURE.search(line if line.startswith("#") else code) and "chrono" not in line:
            report(relative, number, "the simulator runs in its own world: no clock, thread, file or socket")
        if room and room not in THREAD_HOMES and not test and THREADS.search(code):
            report(relative, number, "threads start in server and cli only")
        macro = MACRO.match(line)
        if macro and macro.group(1) not in MACROS_ALLOWED:
            report(relative, number, f"a macro of our own: {macro.group(1)}")
        if test and SLEEPS.search(code):
            report(relative, number, "a sleep in a test: wait for a condition with a deadline")


def find_cycles(graph):
    """Include cycles between files, each reported once, as a list of paths."""
    state, stack, cycles = {}, [], []

    def visit(file):
        state[file] = "open"
        stack.append(file)
        for target in graph.get(file, ()):
            if state.get(target) == "open":
                cycles.append(stack[stack.index(target) :] + [target])
            elif target not in state:
                visit(target)
        stack.pop()
        state[file] = "done"

    for file in graph:
        if file not in state:
            visit(file)
    return cycles


def main():
    findings = []

    def report(path, line, rule):
        findings.append(f"{path}:{line}: {rule}")

    allowed, pure = read_layers()
    graph = {}
    assertions = {room: [0, 0] for room in ASSERTING}
    for path in tracked_files():
        relative = path.relative_to(ROOT)
        if relative.parts[:2] in (("docs", "spec"), ("test", "golden")):
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if BANNED.search(line) and relative.suffix in (".cpp", ".hpp", ".c", ".py", ".sh", ".cmake", ""):
                report(relative, number, "unfinished work has an issue, not a note in the code")
        if relative.suffix in (".cpp", ".hpp"):
            check_source(path, relative, allowed, pure, report)
            if relative.parts[0] == "src" and relative.parts[1] in ASSERTING and relative.suffix == ".cpp" and not is_test(relative):
                counts = assertions[relative.parts[1]]
                counts[0] += len(list(function_spans(text)))
                counts[1] += len(ASSERTION.findall(strip_comments_and_strings(text)))
            if relative.parts[0] == "src":
                graph[str(relative)[4:]] = INCLUDE_ALL.findall(text)
    for room, (functions, ensured) in assertions.items():
        if ensured < functions:
            report(f"src/{room}", 1, f"{ensured} assertions in {functions} functions, at least one each on average (R-007)")
    for cycle in find_cycles(graph):
        report("src/" + cycle[0], 1, "an include cycle: " + " -> ".join(cycle))

    for finding in sorted(findings):
        print(finding)
    print(f"tidy: {len(findings)} findings")
    return 1 if findings else 0


INCLUDE_ALL = re.compile(r'^#include "([^"]+)"', re.M)

if __name__ == "__main__":
    sys.exit(main())
