"""Compares what two servers let a script see, modulo what may differ between two runs of one server.

zxids: the header of a successful write pairs the left server's zxid with the right one's, and both must rise; the zxids in
a stat must be such a pair. Every other header is compared by its rank among the pairs, because one server may spend a
zxid where the other does not (a refused write, a session). Times: one transaction has one time, on each server for itself.
Session ids: by the script's name of the session. Child lists and other sets: sorted.

The differences that are allowed have a name and a reason here and stand in docs/differences.md; everything else is one.
"""

import bisect
import collections

from harness import protocol

SETS = {8, 12, 103, 107}
WRITES = {1, 2, 5, 7, 15, 19, 21, -11}

ALLOWED = {
    "event-zxid": "the header of a watch event is the transaction's zxid, as from 3.9 on (protocol 0)",
    "multi-create2": "create2 inside a multi answers path and stat, as from 3.8.2 on (protocol 0)",
    "multi-flags": "bad create flags inside a multi refuse the whole request, as from 3.8.2 on (protocol 0)",
    "multi-null-id": "a null id inside a multi refuses the whole request, whatever fails before it (protocol 3.14)",
    "relative-watch": "a path without a leading '/' has no watch, also while others have recursive ones (protocol 3.11)",
    "auth-order": "the credentials into which auth expands stand in any order (protocol 6.5: they are a set)",
    "check-watches": "checkWatches asks about this connection's watches only (protocol, Appendix B)",
    "exists-read": "exists needs READ on a znode that is there, as from 3.8.4 and 3.9.2 on (protocol 0)",
    "empty-path": 'the path "" as an alias of the root (protocol 3.3)',
}


class Difference(Exception):
    """The two servers disagree."""


class Enough(Exception):
    """From an allowed difference on, the two servers' states may differ: the script ends here, with nothing against it."""


class Zxids:
    """Which zxid of the left server is which of the right one."""

    def __init__(self):
        self.left, self.right = [], []

    def pair(self, left, right):
        at = bisect.bisect_left(self.left, left)
        if at < len(self.left) and self.left[at] == left:
            if self.right[at] != right:
                raise Difference(f"zxid {left} was {self.right[at]} on the right, now it is {right}")
            return
        if at != len(self.left) or (self.right and right <= self.right[-1]):
            raise Difference(f"zxids do not rise: {left}, {right} after {self.left[-1:]}, {self.right[-1:]}")
        self.left.append(left)
        self.right.append(right)

    def same_transaction(self, left, right, what):
        at = bisect.bisect_left(self.left, left)
        known = at < len(self.left) and self.left[at] == left
        if known and self.right[at] != right:
            raise Difference(f"{what}: {left} is the right's {self.right[at]}, not {right}")
        if not known and (right in self.right or self.rank(self.left, left) != self.rank(self.right, right)):
            raise Difference(f"{what}: {left} and {right} are not the same transaction")

    def same_rank(self, left, right, what):
        ranks = self.rank(self.left, left), self.rank(self.right, right)
        if ranks[0] != ranks[1]:
            raise Difference(f"{what}: {left} is after {ranks[0]} transactions, {right} after {ranks[1]}")

    @staticmethod
    def rank(known, zxid):
        return bisect.bisect_right(known, zxid)


class Judge:
    def __init__(self, left, right):
        """`left`, `right`: the players (left is the oracle)."""
        self.players = (left, right)
        self.zxids = Zxids()
        self.times = ({}, {})
        self.allowed = collections.Counter()
        self.watched = collections.defaultdict(set)  # path: connections that asked for a watch there
        self.compared = 0

    # Steps.

    def step(self, step, left, right):
        """Raises Difference when the two outcomes of a step do not agree."""
        self.note_watches(step)
        requests = step.get("requests", ())
        closing = any(request["op"] == "closeSession" for request in requests)
        for c in sorted(set(left) | set(right)):
            a, b = left.get(c, []), right.get(c, [])
            if closing:
                a, b = sort_events(a), sort_events(b)
            self.pair_writes(requests, a, b)
        for c in sorted(set(left) | set(right)):
            a, b = left.get(c, []), right.get(c, [])
            if closing:
                a, b = sort_events(a), sort_events(b)
            self.items(c, requests, a, b)

    def note_watches(self, step):
        for request in step.get("requests", ()):
            if request.get("watch") or request["op"] == "addWatch":
                self.watched[request["path"]].add(step["c"])
            for paths in request.get("lists", ()):
                for path in paths or ():
                    self.watched[path].add(step["c"])
        self.connection = step["c"]

    def pair_writes(self, requests, left, right):
        for a, b in zip(left, right):
            if a[0] == b[0] == "reply" and a[1][0] == b[1][0] and is_transaction(a[1][1]) and is_transaction(b[1][1]):
                self.zxids.pair(a[1][1].zxid, b[1][1].zxid)

    def items(self, c, requests, left, right):
        for at, (a, b) in enumerate(zip(left, right)):
            self.compared += 1
            if a[0] != b[0]:
                raise Difference(f"connection {c}, item {at}: {a} and {b}")
            if a[0] == "reply":
                number, reply = a[1]
                request = requests[number] if isinstance(number, int) and 0 <= number < len(requests) else {"op": "ping"}
                if b[1][0] != number:
                    raise Difference(f"connection {c}: replies in another order: {a}, {b}")
                self.reply(request, reply, b[1][1])
            elif a[0] == "event":
                self.event(a[1], b[1])
            elif a[0] == "session":
                self.session(a[1], b[1])
            elif a[0] in ("wrong", "silent", "broken", "extra", "open"):
                raise Difference(f"connection {c}: {a} and {b}")
        if len(left) != len(right):
            raise Difference(f"connection {c}: {left[len(right):]} on the left only, {right[len(left):]} on the right only")

    def dumps(self, left, right):
        for a, b in zip(left, right):
            if a[0] != "reply" or b[0] != "reply":
                raise Difference(f"the trees at the end: {a} and {b}")
            if self.path(0, a[1][0]) != self.path(1, b[1][0]):
                raise Difference(f"the trees at the end: {a[1][0]} and {b[1][0]}")
            try:
                self.body({"op": "dump"}, a[1][1], b[1][1])
            except Difference as difference:
                raise Difference(f"the trees at the end, {a[1][0]}: {difference}") from None
        if len(left) != len(right):
            raise Difference(f"the trees at the end: {left[len(right):]} on the left only, {right[len(left):]} on the right only")

    # What a server said.

    def path(self, side, text):
        return text.replace(self.players[side].root, "@") if text else text

    def event(self, left, right):
        a, b = (left.type, self.path(0, left.path)), (right.type, self.path(1, right.path))
        if a != b:
            raise Difference(f"events {left} and {right}")
        if left.zxid != right.zxid:
            if left.zxid != -1 or (right.zxid not in self.zxids.right and not self.unknown_transaction(right.zxid)):
                raise Difference(f"event zxids of {left} and {right}")
            self.allowed["event-zxid"] += 1

    def unknown_transaction(self, zxid):
        """The zxid of a transaction without a reply in the script: plausible if it is newer than all that are known."""
        return not self.zxids.right or zxid > self.zxids.right[-1]

    def session(self, left, right):
        (a, name), (b, _) = left, right
        same = [(s.protocol, s.timeout, s.id == 0, s.read_only, len(s.password), s.password == b"\0" * 16) for s in (a, b)]
        if same[0] != same[1]:
            raise Difference(f"session {name}: {same[0]} and {same[1]}")

    def reply(self, request, left, right):
        if left.xid != right.xid:
            raise Difference(f"xids {left} and {right}")
        if self.excused(request, left, right):
            return
        if left.error != right.error:
            raise Difference(f"errors {left} and {right}")
        if left.zxid <= 0 or right.zxid <= 0:
            if left.zxid != right.zxid:
                raise Difference(f"header zxids {left} and {right}")
        elif is_transaction(left) != is_transaction(right):
            raise Difference(f"outcomes {left} and {right}")
        elif not is_transaction(left):
            self.zxids.same_rank(left.zxid, right.zxid, f"header zxids of {left} and {right}")
        if request["op"] == "getAllChildrenNumber" and request.get("path") == "" and left.body and right.body:
            self.allowed["empty-path"] += left.body != right.body
            left.body = (left.body[0] - 1,)  # The alias counts the root among its own descendants.
        self.body(request, left, right)

    def excused(self, request, left, right):
        op, reason = request["op"], None
        if op == "multi" and left.error == 0 and right.error == -5 and is_failed(left):
            if any(o["op"] in ("create", "create2", "createContainer") and not 0 <= o["flags"] <= 6 for o in request["of"]):
                reason = "multi-flags"
            elif any(entry[2] is None for o in request["of"] for entry in o.get("acl") or []):
                reason = "multi-null-id"
        elif op == "checkWatches" and (left.error, right.error) == (0, -121) and self.watched[request["path"]] - {self.connection}:
            reason = "check-watches"
        elif request.get("path") == "" and left.error == 0 and right.error == -101:
            reason = "empty-path"
        elif op in ("checkWatches", "removeWatches") and request["path"][:1] != "/" and request["path"][:1] != "@":
            if left.error == -5 and right.error in (0, -121):
                reason = "relative-watch"
        elif op == "exists" and (left.error, right.error) == (0, -102):
            reason = "exists-read"
        if reason:
            self.allowed[reason] += 1
        if reason == "exists-read" and request["watch"] or reason == "relative-watch" and right.error == 0:
            raise Enough  # The left server has a watch more.
        return reason is not None

    def same_order_or_excused(self, left, right):
        """The left list of an ACL, reordered as the right one where auth was expanded into several credentials."""
        digests = [(entry[0], entry[1]) for entry in left if entry[1] == "digest"]
        if left != right and sorted(left) == sorted(right) and len(digests) > len(set(digests)):
            self.allowed["auth-order"] += 1
            return right
        return left

    def body(self, request, left, right):
        if left.opcode in SETS and left.body and right.body:
            a, b = (list(body) for body in (left.body, right.body))
            a[0], b[0] = sorted(a[0] or []), sorted(b[0] or [])
        else:
            a, b = left.body, right.body
            if left.opcode == 6 and a and b:
                a = (self.same_order_or_excused(a[0], b[0]), *a[1:])
        if left.opcode in (14, 22) and a and b:
            a, b = self.results(request, a[0], b[0])
        self.values(a, b, f"{left} and {right}")

    def results(self, request, left, right):
        aligned = []
        for at, (a, b) in enumerate(zip(left, right)):
            if a[0] == 1 and b[0] == 15 and at < len(request.get("of", ())) and request["of"][at]["op"] == "create2":
                self.allowed["multi-create2"] += 1
                aligned.append((1, *b[1:3]))
            elif b[0] == 8 and a[0] == 8:
                aligned.append((*b[:2], sorted(b[2])))
                left[at] = (*a[:2], sorted(a[2]))
            else:
                aligned.append(b)
        return left, aligned + right[len(left) :]

    def values(self, a, b, what):
        if isinstance(a, protocol.Stat) and isinstance(b, protocol.Stat):
            self.stats(a, b, what)
        elif isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
            if len(a) != len(b):
                raise Difference(f"bodies of {what}")
            for x, y in zip(a, b):
                self.values(x, y, what)
        elif isinstance(a, str) and isinstance(b, str):
            if self.path(0, a) != self.path(1, b):
                raise Difference(f"{a!r} and {b!r} in {what}")
        elif a != b:
            raise Difference(f"{a!r} and {b!r} in {what}")

    def stats(self, a, b, what):
        for field in ("czxid", "mzxid", "pzxid"):
            self.zxids.same_transaction(getattr(a, field), getattr(b, field), f"{field} in {what}")
        for field in ("version", "cversion", "aversion", "data_length", "children"):
            if getattr(a, field) != getattr(b, field):
                raise Difference(f"{field} in {what}")
        owners = [self.owner(side, stat.ephemeral_owner) for side, stat in enumerate((a, b))]
        if owners[0] != owners[1]:
            raise Difference(f"owners {owners} in {what}")
        for side, stat in enumerate((a, b)):
            for zxid, time in ((stat.czxid, stat.ctime), (stat.mzxid, stat.mtime)):
                if self.times[side].setdefault(zxid, time) != time:
                    raise Difference(f"server {side}: zxid {zxid} has the times {self.times[side][zxid]} and {time} in {what}")

    def owner(self, side, session):
        if session == 0:
            return 0
        sessions = self.players[side].sessions
        return next((name for name, s in sessions.items() if s.id == session), "another session")


def is_failed(reply):
    return any(result[0] == -1 for result in (reply.body[0] if reply.body else ()))


def is_transaction(reply):
    """A reply whose header carries the zxid of its own transaction."""
    if reply.error != 0:
        return False
    return reply.opcode in WRITES or (reply.opcode == 14 and not is_failed(reply))


def sort_events(items):
    """Sorts each run of events: a session's ephemerals go in any order (protocol 7.4)."""
    sorted_items, run = [], []
    for item in [*items, None]:
        if item and item[0] == "event":
            run.append(item)
            continue
        sorted_items += sorted(run, key=lambda i: (i[1].path.rsplit("/")[-1], i[1].type, i[1].path))
        run = []
        if item:
            sorted_items.append(item)
    return sorted_items
