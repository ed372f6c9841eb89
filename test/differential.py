#!/usr/bin/python3
"""Random request scripts, played on Debian's ZooKeeper and on Quorate step by step; what clients see must agree.

After each step (a request, a pipelined burst, an open, a resume, a dropped connection) the test waits for the replies and
for the events on every connection. A script that shows a difference is shrunk and printed. --self plays ZooKeeper
against itself, which must agree in everything: that is what each comparison is worth. --zookeeper is the same.
"""

import collections
import copy
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

    def __init__(self, left, right, make_player=player.Player, runs=0):
        self.servers = (left, right)
        self.make_player = make_player
        self.runs = runs
        self.allowed = collections.Counter()
        self.compared = 0

    def play(self, steps):
        """None, or what differs and at which step."""
        self.runs += 1
        root = f"/d{self.runs:05d}"
        left, right = players = [self.make_player(server, root) for server in self.servers]
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
        try:
            dumps = [each.finish() for each in players]
        except (OSError, player.protocol.Closed, player.protocol.Timeout) as error:
            return found or (len(steps), f"the end of the script: {type(error).__name__} {error}")
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


class Liar(player.Player):
    """A player that tells one wrong thing a script: what the judge must see."""

    lie = None  # Takes an item of an outcome, returns another one, or None to leave it out; the same one if it does not fit.

    def play(self, step):
        seen = super().play(step)
        for items in seen.values():
            for at, item in enumerate(items):
                told = self.lie(item) if self.lie else item
                if told is not item:
                    items[at : at + 1] = [told] if told else []
                    self.lie = None
                    return seen
        return seen


def lies():
    """Wrong answers by name: each a function as Liar.lie wants it."""

    def on_reply(change):
        def lie(item):
            reply = item[1][1] if item[0] == "reply" else None
            if reply is None:
                return item
            changed = copy.copy(reply)
            return ("reply", (item[1][0], changed)) if change(changed) else item

        return lie

    def on_stat(field, by):
        def change(reply):
            index = next((i for i, part in enumerate(reply.body) if isinstance(part, player.protocol.Stat)), None)
            if index is None or (field == "ephemeral_owner" and reply.body[index].ephemeral_owner == 0):
                return False
            values = list(reply.body[index])
            values[player.protocol.Stat.FIELDS.index(field)] += by
            reply.body = (*reply.body[:index], player.protocol.Stat(*values), *reply.body[index + 1 :])
            return True

        return on_reply(change)

    def setting(name, value, fits=lambda reply: True):
        def change(reply):
            if not fits(reply) or getattr(reply, name) == value(reply):
                return False
            setattr(reply, name, value(reply))
            return True

        return on_reply(change)

    def event(name, value):
        def lie(item):
            if item[0] != "event":
                return item
            changed = copy.copy(item[1])
            setattr(changed, name, value(changed))
            return ("event", changed)

        return lie

    found = {f"stat {field}": on_stat(field, 1) for field in player.protocol.Stat.FIELDS if field not in ("ctime", "mtime")}
    found["header zxid of a write"] = setting("zxid", lambda r: 1, lambda r: judge.is_transaction(r))
    found["header zxid of a read"] = setting("zxid", lambda r: 1, lambda r: r.opcode == 4 and r.zxid > 1)
    found["error code"] = setting("error", lambda r: -101, lambda r: r.error == -103)
    found["xid"] = setting("xid", lambda r: r.xid + 1)
    found["data"] = setting("body", lambda r: (b"lie", *r.body[1:]), lambda r: r.opcode == 4 and r.error == 0)
    found["children"] = setting("body", lambda r: (["lie"], *r.body[1:]), lambda r: r.opcode in (8, 12) and r.error == 0)
    found["event lost"] = lambda item: None if item[0] == "event" else item
    found["event type"] = event("type", lambda e: e.type % 4 + 1)
    found["event path"] = event("path", lambda e: e.path + "x")
    found["event zxid"] = event("zxid", lambda e: 1)
    found["reply lost"] = lambda item: None if item[0] == "reply" else item
    return found


def prove(left, right):
    """Each lie must be seen in every script in which it is told."""
    failed = []
    for number, (name, lie) in enumerate(lies().items()):
        told = seen = 0
        for seed in range(1, 6):
            liars = []

            def liar(server, root, lie=lie, liars=liars):
                if server is not right:
                    return player.Player(server, root)
                liars.append(Liar(server, root))
                liars[-1].lie = lie
                return liars[-1]

            found = Pair(left, right, liar, 1000 + number * 10 + seed).play(script.Generator(seed, 150).script())
            told += liars[0].lie is None
            seen += liars[0].lie is None and found is not None
        good = told and seen == told
        print(f"{'ok     ' if good else 'FAILED '} {name}: told {told} times, seen {seen} times", flush=True)
        failed += [] if good else [name]
    sys.exit(1 if failed else 0)


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
    parser.add_argument("--prove", action="store_true", help="tell the judge lies, each of which it must see")
    parser.add_argument("--replay", metavar="FILE", help="play a script from a file of JSON steps, one a line")
    options = parser.parse_args()
    options.zookeeper = options.zookeeper or options.alone
    left = servers.ZooKeeper(SETTINGS, keep=options.keep).launch()
    right = servers.tested(options, SETTINGS)
    right.start()
    left.wait_until_serving()
    pair = Pair(left, right)
    if options.prove:
        prove(left, right)
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
            if not right.is_running():
                print(describe(steps[: found[0] + 1], found), right.log_tail(), sep="\n", flush=True)
                break
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
