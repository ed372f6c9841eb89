#!/usr/bin/python3
"""Random request scripts, played on Debian's ZooKeeper and on Quorate step by step; what clients see must agree.

After each step (a request, a pipelined burst, an open, a resume, a dropped connection) the test waits for the replies and
for the events on every connection. A script that shows a difference is shrunk and printed. --self plays ZooKeeper
against itself, which must agree in everything: that is what each comparison is worth. --zookeeper is the same.
"""

import collections
import json
import sys
import time

from harness import cases, servers
from randomized import judge, player, script

SETTINGS = {
    # The cleaner would remove used containers at a moment of its own.
    "znode.container.checkIntervalMs": "86400000",
}


class Pair:
    """The two servers, and the runs that they have seen."""

    def __init__(self, left, right):
        self.servers = (left, right)
        self.runs = 0
        self.allowed = collections.Counter()
        self.compared = 0

    def play(self, steps):
        """None, or what differs and at which step."""
        self.runs += 1
        root = f"/d{self.runs:05d}"
        left, right = players = [player.Player(server, root) for server in self.servers]
        for each in players:
            make_root(each.server, root)
        court = judge.Judge(left, right)
        found, enough = None, False
        for number, step in enumerate(steps):
            outcomes = [each.play(step) for each in players]
            try:
                court.step(step, *outcomes)
            except judge.Enough:
                enough = True
                break
            except judge.Difference as difference:
                found = (number, str(difference))
                break
        dumps = [each.finish() for each in players]
        if found is None and not enough:
            try:
                court.dumps(*dumps)
            except judge.Difference as difference:
                found = (len(steps), str(difference))
        self.allowed += court.allowed
        self.compared += court.compared
        return found


def make_root(server, root):
    connection = player.protocol.opened(server.port)
    reply = connection.create(root)
    cases.check(reply.error == 0, f"{root} could not be made on {server.kind}: {reply}")
    connection.close_session()


def shrink(pair, steps, found, seconds):
    """A shorter script that still differs: chunks of steps are left out, then single requests of bursts."""
    end = time.monotonic() + seconds
    steps = steps[: found[0] + 1]

    def differs(candidate):
        try:
            return pair.play(candidate)
        except Exception as error:
            return (len(candidate) - 1, f"{type(error).__name__}: {error}")

    chunk = max(1, len(steps) // 2)
    while time.monotonic() < end:
        at, shorter = 0, False
        while at < len(steps) and time.monotonic() < end:
            candidate = steps[:at] + steps[at + chunk :]
            again = differs(candidate) if candidate else None
            if again:
                steps, found, shorter = candidate[: again[0] + 1], again, True
            else:
                at += chunk
        if chunk == 1 and not shorter:
            break
        chunk = max(1, chunk // 2)
    for at, step in enumerate(steps):
        for number in reversed(range(len(step.get("requests", ())))):
            requests = steps[at]["requests"]
            candidate = steps[:at] + [dict(step, requests=requests[:number] + requests[number + 1 :])] + steps[at + 1 :]
            again = len(requests) > 1 and time.monotonic() < end and differs(candidate)
            if again:
                steps, found = candidate, again
    return steps, found


def describe(steps, found):
    lines = [f"  step {number}: {json.dumps(step)}" for number, step in enumerate(steps)]
    return "\n".join([*lines, f"  differs at step {found[0]}: {found[1]}"])


def main():
    parser = servers.arguments(__doc__.splitlines()[0])
    parser.add_argument("--self", dest="alone", action="store_true", help="ZooKeeper against itself")
    parser.add_argument("--seed", type=int, default=1, help="the first script's seed; each next one's is one more")
    parser.add_argument("--steps", type=int, help="how many steps in all (default: what fits in --seconds)")
    parser.add_argument("--seconds", type=int, default=120, help="how long, if --steps does not say")
    parser.add_argument("--length", type=int, default=60, help="steps of one script")
    parser.add_argument("--differences", type=int, default=3, help="stop after so many differing scripts")
    parser.add_argument("--replay", metavar="FILE", help="play a script from a file of JSON steps, one a line")
    options = parser.parse_args()
    options.zookeeper = options.zookeeper or options.alone
    left = servers.ZooKeeper(SETTINGS, keep=options.keep).launch()
    right = servers.tested(options, SETTINGS)
    right.start()
    left.wait_until_serving()
    pair = Pair(left, right)
    if options.replay:
        with open(options.replay) as file:
            steps = [json.loads(line) for line in file if line.strip()]
        found = pair.play(steps)
        print(describe(steps, found) if found else "no difference")
        sys.exit(1 if found else 0)
    run(options, pair, right)


def run(options, pair, right):
    begun = time.monotonic()
    seed, steps_played, differing = options.seed, 0, 0
    print(f"seeds from {seed} on, {options.length} steps each", flush=True)
    while differing < options.differences:
        if options.steps is not None and steps_played >= options.steps:
            break
        if options.steps is None and time.monotonic() - begun >= options.seconds:
            break
        steps = script.Generator(seed, options.length).script()
        found = pair.play(steps)
        steps_played += len(steps)
        if found:
            differing += 1
            print(f"FAILED  seed {seed}: {found[1]}", flush=True)
            shorter, shown = shrink(pair, steps, found, 60)
            print(f"  shrunk to {len(shorter)} steps (replay: --seed {seed} --length {options.length} --steps 1)")
            print(describe(shorter, shown), flush=True)
        seed += 1
    for name, count in sorted(pair.allowed.items()):
        print(f"allowed {count} times: {name}: {judge.ALLOWED[name]}")
    if pair.servers[1].kind == "zookeeper" and pair.allowed:
        print("FAILED  ZooKeeper differs from itself in what is allowed to Quorate")
        differing += 1
    print(
        f"{'FAILED ' if differing else 'ok     '} {seed - options.seed} scripts, {steps_played} steps, {pair.compared} answers and "
        f"events compared, {differing} scripts differ ({time.monotonic() - begun:.0f} s)"
    )
    if differing and not right.is_running():
        print(right.log_tail())
    sys.exit(1 if differing or not steps_played else 0)


if __name__ == "__main__":
    main()
