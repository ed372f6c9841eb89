"""Random scripts: lists of steps that can be written down as JSON, made from a seed, independent of any answer.

A step is {"do": "open" | "drop" | "send", "c": connection, ...}. A request in a `send` step names its operation and its
fields. In every string "@" stands for the run's own top directory, so that a script can be played again on the same
servers. Sessions are named; a step that refers to what does not exist (any more) is skipped by the player on both sides.

What is deliberately not generated, because the real server is known to differ there, is in docs/differences.md; such
cases are claims of their own in deviations.py.
"""

import random

CONNECTIONS = 3

PLAIN = ["@/a", "@/b", "@/a/b", "@/a/c", "@/a/b/d", "@/e", "@/s", "@/k", "@/k/x", "@/k/y"]
NUMBERED = ["@/s/n0000000000", "@/s/n0000000001", "@/s/n0000000002", "@/s/0000000001", "@/a0000000003"]
SYSTEM = ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config", "@", "/zookeeper/quota@"]
ODD = [
    "@/a/", "@//a", "@/./a", "@/a/..", "@/...", "@/.a", "@/a\x01", "@/a\x7f", "@/\x9f", "a", "a/b", "@/none/x", "@/e/x",
    "@/\u00e9", "@/\u00a0", "@/\ud7ff", "@/\uf8ff", "@/\uf900", "@/\uffef", "@/\ufff0", "@/\U0001f600", "@/a\0b",
    "@/ b", "@/x y", "/zookeeper/config/x", "/zookeeper@", "//", "",
]  # fmt: skip
QUOTA = [
    "/zookeeper/quota@/a", "/zookeeper/quota@/a/zookeeper_limits", "/zookeeper/quota@/a/zookeeper_stats",
    "/zookeeper/quota@/k", "/zookeeper/quota@/k/zookeeper_limits", "/zookeeper/quota@/k/zookeeper_stats",
]  # fmt: skip
LIMITS = ["count=3,bytes=100", "count=-1,bytes=50", "count=2,bytes=-1=;byteHardLimit=20;countHardLimit=3", "count=1"]
DATA = ["", "x", "yy", "0123456789" * 5, "\u00e9", None]

BOB = "bob:ikIaKsbtGweaHnb/jKn7OHqbunM="  # bob:pw
ACLS_GOOD = [
    [[31, "world", "anyone"]], [[31, "world", "anyone"]], [[31, "world", "anyone"]], [[31, "world", "anyone"]],
    [[1, "world", "anyone"]], [[30, "world", "anyone"]], [[5, "world", "anyone"]], [[15, "world", "anyone"]],
    [[31, "digest", BOB]], [[31, "digest", BOB], [1, "world", "anyone"]], [[16, "digest", BOB], [15, "world", "anyone"]],
    [[31, "auth", ""]], [[31, "auth", None], [1, "world", "anyone"]], [[15, "auth", "x"], [31, "auth", "y"]],
    [[31, "ip", "127.0.0.1"]], [[31, "ip", "127.0.0.0/8"], [1, "world", "anyone"]], [[31, "ip", "10.0.0.0/8"]],
    [[31, "ip", "127.0.0.1/0"]], [[31, "world", "anyone"], [31, "world", "anyone"]], [[0, "world", "anyone"]],
    [[-1, "world", "anyone"]], [[64, "world", "anyone"], [1, "world", "anyone"]], [[31, "digest", ":h"]],
    [[31, "digest", "u:h::"], [31, "world", "anyone"]],
]  # fmt: skip
ACLS_BAD = [
    [], None, [[31, "foo", "x"]], [[31, "world", "x"]], [[31, "world", None]], [[31, "digest", None]], [[31, None, "x"]],
    [[31, "digest", "u"]], [[31, "digest", "u:"]], [[31, "digest", "a:b:c"]], [[31, "digest", ":"]], [[31, "digest", ""]],
    [[31, "ip", "127.0.0.1/33"]], [[31, "ip", "127.0.0"]], [[31, "ip", "1.2.3.4.5"]], [[31, "ip", "256.1.1.1"]],
    [[31, "ip", "127.0.0.1/-1"]], [[31, "ip", "localhost"]], [[31, "ip", ""]], [[31, "super", ""]], [[31, "sasl", "bob"]],
    [[31, "x509", "CN=x"]], [[31, "world", "anyone"], [31, "foo", "x"]], [[31, "", "x"]],
]  # fmt: skip
AUTHS = [["digest", "bob:pw"]] * 6 + [["digest", "eve:x"], ["digest", "nocolon"], ["digest", ""], ["ip", "x"], ["digest", "a:b:c"]]
AUTHS_REFUSED = [["foo", "x"], ["world", "x"], ["auth", "x"], ["super", "x"], [None, "x"], ["digest", None], ["sasl", "x"], ["x509", "x"]]
VERSIONS = [-1] * 6 + [0, 0, 1, 2, 3, 7, -2, -2147483648, 2147483647]
FLAGS = [0] * 8 + [1, 1, 2, 2, 2, 3]
UNKNOWN_OPCODES = [0, 10, 23, 99, -1, 108, 1000, -12]

# One (connection, path) has watches of one mode only: 3.8 lets the last one win, where 3.9 lets them coexist.
MODES = ("standard", "standard", "persistent", "recursive")


class Generator:
    def __init__(self, seed, steps):
        self.random = random.Random(seed)
        self.steps = steps
        self.sessions = 0
        self.names = {}  # connection: name of the session on it, as far as known here
        self.loose = []  # names of sessions whose connection was dropped
        self.closed = []
        self.alive = ["@/a", "@/s", "@/k"]  # Paths that probably exist: guessed, not asked.
        self.salt = self.random.randrange(1 << 30)

    def script(self):
        steps = [self.open_new(c) for c in range(CONNECTIONS)]
        for path in ("@/a", "@/s", "@/k", "/zookeeper/quota@"):
            if self.random.random() < 0.8:
                steps.append(self.send(0, [dict(op="create", path=path, data="", acl=ACLS_GOOD[0], flags=0)]))
        while len(steps) < self.steps:
            steps.append(self.step())
        return steps

    # Sessions and connections.

    def open_new(self, c):
        name = f"s{self.sessions}"
        self.sessions += 1
        self.names[c] = name
        chance = self.random.random()
        step = {"do": "open", "c": c, "name": name, "timeout": self.random.choice([30000, 30000, 600000, 35001])}
        if chance < 0.15:
            step["flag"] = None
        elif chance < 0.3:
            step["flag"] = True
        return step

    def step(self):
        dead = [c for c in range(CONNECTIONS) if c not in self.names]
        if dead and self.random.random() < 0.6:
            return self.reopen(self.random.choice(dead))
        living = [c for c in range(CONNECTIONS) if c in self.names]
        chance = self.random.random()
        if not living or chance < 0.006:
            return self.reopen(self.random.choice(dead or living))
        c = self.random.choice(living)
        if chance < 0.012:
            self.loose.append(self.names.pop(c))
            return {"do": "drop", "c": c}
        if chance < 0.018:
            self.closed.append(self.names.pop(c))
            return self.send(c, [dict(op="closeSession")])
        if chance < 0.03:
            self.loose.append(self.names.pop(c))
            return self.send(c, [self.closing_request()])
        if chance < 0.10:
            return self.send(c, self.burst(c))
        return self.send(c, [self.request(c)])

    def reopen(self, c):
        """A new session, or one of the earlier ones: dropped, closed, or still alive on another connection."""
        chance = self.random.random()
        step = None
        if chance < 0.45 and self.loose:
            name = self.random.choice(self.loose)
            if chance < 0.08:
                step = {"do": "open", "c": c, "resume": name, "timeout": 30000, "password": "wrong"}
                self.names.pop(c, None)
                return step
            self.loose.remove(name)
            step = {"do": "open", "c": c, "resume": name, "timeout": self.random.choice([30000, 40000, 35000])}
            self.names[c] = name
        elif chance < 0.55 and self.closed:
            step = {"do": "open", "c": c, "resume": self.random.choice(self.closed), "timeout": 30000}
            self.names.pop(c, None)
        elif chance < 0.65 and (others := [o for o in self.names if o != c]):
            other = self.random.choice(others)
            name = self.names.pop(other)
            step = {"do": "open", "c": c, "resume": name, "timeout": 30000}
            self.names[c] = name
        elif chance < 0.68:
            self.names.pop(c, None)
            return {"do": "open", "c": c, "name": "none", "timeout": 30000, "ahead": True}
        else:
            return self.open_new(c)
        if self.random.random() < 0.2:
            step["flag"] = None
        return step

    # Requests.

    def send(self, c, requests):
        return {"do": "send", "c": c, "requests": requests}

    def closing_request(self):
        """What makes the server close the connection (protocol 2.5)."""
        return self.random.choice(
            [
                dict(op="unknown", number=self.random.choice(UNKNOWN_OPCODES)),
                dict(zip(("op", "scheme", "data"), ("auth", *self.random.choice(AUTHS_REFUSED)))),
                dict(op="auth", scheme="digest", data="bob:pw", cut=self.random.randrange(1, 12)),
                dict(op="sasl", token=None),
                dict(op="header", size=self.random.randrange(0, 8)),
                dict(op="length", length=self.random.choice([-1, -2147483648, 1048576, 2147483647])),
                dict(op="connectAgain"),
            ]
        )

    def burst(self, c):
        """Pipelined requests. What the real server mixes up when pipelined comes last or not at all."""
        requests = []
        while len(requests) < self.random.randrange(2, 12):
            request = self.request(c)
            if request["op"] in ("auth", "setACL", "sasl") or (request["op"] == "multi" and self.may_fail_decoding(request)):
                continue
            requests.append(request)
        if self.random.random() < 0.2:
            requests.append(self.set_acl(c))
        return requests

    @staticmethod
    def may_fail_decoding(request):
        return "cut" in request or any(o["op"] not in ("create", "delete", "setData", "check") for o in request["of"]) or any(
            entry[2] is None or entry[1] is None for o in request["of"] for entry in o.get("acl") or []
        )

    def path(self, odd=0.05):
        chance = self.random.random()
        if self.alive and chance > 0.45:
            return self.random.choice(self.alive)
        chance /= 0.45
        if chance < odd:
            return self.random.choice(ODD)
        if chance < odd + 0.07:
            return self.random.choice(SYSTEM)
        if chance < odd + 0.13:
            return self.random.choice(QUOTA)
        if chance < odd + 0.22:
            return self.random.choice(NUMBERED)
        return self.random.choice(PLAIN)

    def acl(self):
        return self.random.choice(ACLS_BAD if self.random.random() < 0.12 else ACLS_GOOD)

    def data(self):
        return self.random.choice(DATA)

    def mode(self, c, path):
        return MODES[random.Random(f"{self.salt} {c} {path}").randrange(len(MODES))]

    def request(self, c):
        make = self.random.choices(
            [
                self.create, self.delete, self.set_data, self.read, self.set_acl, self.get_acl, self.multi, self.multi_read,
                self.auth, self.watches, self.set_watches, self.small, self.quota,
            ],
            [26, 12, 14, 22, 4, 4, 9, 3, 2, 6, 4, 5, 4],
        )[0]  # fmt: skip
        request = make(c)
        if request["op"] not in ("ping", "closeSession", "whoAmI", "auth", "sasl"):
            chance = self.random.random()
            if chance < 0.012:
                request["cut"] = self.random.randrange(0, 24)
            elif chance < 0.02:
                request["extra"] = self.random.randrange(1, 9)
            elif chance < 0.026 and request["op"] != "createTTL":
                request["length"] = self.random.choice([-2, -2147483648, 2147483647, 2097152, 1048576])
        if self.random.random() < 0.03 and request["op"] != "ping":
            request["xid"] = self.random.choice([0, -3, -8, -4, 2147483647, -2147483648])
        return request

    def create(self, c):
        path = self.path()
        chance = self.random.random()
        if chance < 0.6:
            flags = self.random.choice(FLAGS)
            op = "create"
        elif chance < 0.8:
            flags = self.random.choice(FLAGS)
            op = "create2"
        elif chance < 0.88:
            op, flags = "createContainer", self.random.choice([4, 4, 4, 0, 1, 2, 3])
        else:
            op, flags = "createTTL", self.random.choice([5, 5, 6, 6, 0, 1, 4])
        if op in ("create", "create2") and self.random.random() < 0.04:
            flags = self.random.choice([4, 5, 6, 7, -1, 8, 1000])
        if flags in (2, 3, 6) and self.random.random() < 0.6:
            path = self.random.choice(["@/s/n", "@/s/", "@/a", "@/a/", "@/a/."])
        data = self.data()
        if path in QUOTA:  # Garbage in these nodes breaks real servers (protocol, Appendix B).
            op, flags = "create", 0
            data = self.random.choice(LIMITS) if path.endswith("limits") else ""
        elif self.random.random() < 0.6:  # Mostly where there is nothing yet, below what there is.
            path = self.random.choice([p for p in PLAIN if p not in self.alive] or PLAIN) if flags not in (2, 3, 6) else path
        if path in PLAIN and path not in self.alive and flags not in (2, 3, 6):
            self.alive.append(path)
        request = dict(op=op, path=path, data=data, acl=self.acl(), flags=flags)
        if op == "createTTL":
            # A TTL flag takes any ttl; another flag only with one that is refused: the negative one poisons real servers.
            request["ttl"] = self.random.choice([1000000, 5000000, (1 << 40) - 1, 1 << 40, 0, -5] if flags in (5, 6) else [0, 7])
        return request

    def delete(self, c):
        path = self.path()
        if path in self.alive and self.random.random() < 0.7:
            self.alive.remove(path)
        return dict(op="delete", path=path, version=self.random.choice(VERSIONS))

    def set_data(self, c):
        path = self.path()
        while path in SYSTEM or path in QUOTA:
            path = self.path()
        return dict(op="setData", path=path, data=self.data(), version=self.random.choice(VERSIONS))

    def read(self, c):
        op = self.random.choice(["exists", "exists", "getData", "getData", "getChildren", "getChildren2"])
        path = self.path()
        watch = self.random.random() < 0.5 and path != "" and self.mode(c, path) == "standard"
        return dict(op=op, path=path, watch=watch)

    def set_acl(self, c):
        path = self.path()
        while path in SYSTEM or path in QUOTA:
            path = self.path()
        return dict(op="setACL", path=path, acl=self.acl(), version=self.random.choice(VERSIONS))

    def get_acl(self, c):
        return dict(op="getACL", path=self.path())

    def multi(self, c):
        operations = []
        for _ in range(self.random.choice([0, 1, 2, 2, 3, 3, 4, 6])):
            kind = self.random.random()
            if kind < 0.4:
                operations.append(self.create(c))
                if operations[-1]["op"] in ("create", "create2") and operations[-1]["flags"] in (5, 6):
                    operations[-1]["flags"] = 0
            elif kind < 0.6:
                operations.append(self.set_data(c))
            elif kind < 0.8:
                operations.append(self.delete(c))
            elif kind < 0.97:
                operations.append(dict(op="check", path=self.path(), version=self.random.choice(VERSIONS)))
            else:
                operations.append(self.random.choice([dict(op="getData", path="@/a", watch=False), dict(op="deleteContainer", path="@/a")]))
        return dict(op="multi", of=operations)

    def multi_read(self, c):
        kinds = ["getData", "getData", "getChildren"] + (["exists"] if self.random.random() < 0.05 else [])
        count = self.random.randrange(0, 5)
        return dict(op="multiRead", of=[dict(op=self.random.choice(kinds), path=self.path(0.02), watch=False) for _ in range(count)])

    def auth(self, c):
        scheme, data = self.random.choice(AUTHS) if self.random.random() < 0.9 else ["digest", "super:secret"]
        return dict(op="auth", scheme=scheme, data=data, xid=self.random.choice([-4, -4, None]))

    def watches(self, c):
        path = self.path()
        mode = self.mode(c, path)
        chance = self.random.random()
        if chance < 0.5 and path != "":
            if mode == "standard":
                return dict(op="exists", path=path, watch=True)
            return dict(op="addWatch", path=path, mode=0 if mode == "persistent" else 1)
        if chance < 0.55:
            return dict(op="addWatch", path=path or "@/a", mode=self.random.choice([2, -1, 100]))
        op = "removeWatches" if chance < 0.8 else "checkWatches"
        kind = self.random.choice([1, 2, 3]) if mode == "standard" else 3
        if self.random.random() < 0.05:
            kind = self.random.choice([0, 6, -1, 100])
        return dict(op=op, path=path, type=kind)

    def set_watches(self, c):
        lists = {"standard": [[], [], []], "persistent": [[]], "recursive": [[]]}
        for _ in range(self.random.randrange(0, 6)):
            path = self.path(0.03)
            if path and path.isprintable() and max(path) < "\ud800":  # An event would echo what strict UTF-8 cannot.
                self.random.choice(lists[self.mode(c, path)]).append(path)
        full = self.random.random() < 0.5
        chosen = lists["standard"] + (lists["persistent"] + lists["recursive"] if full else [])
        if self.random.random() < 0.03:  # Alone, because the real server carries out the lists before the null one.
            chosen = [[] for _ in chosen]
            chosen[self.random.randrange(len(chosen))] = None
        since = self.random.choice(["zero", "now", "earlier", "earlier", "earlier"])
        return dict(op="setWatches2" if full else "setWatches", since=since, lists=chosen, xid=self.random.choice([-8, None]))

    def small(self, c):
        return self.random.choice(
            [
                dict(op="sync", path=self.random.choice(["@", "@/a", "/none", "relative", None, ""])),
                dict(op="ping"),
                dict(op="getEphemerals", path=self.random.choice(["@", "@/e", "/", "", None, " ", "@/a/"])),
                dict(op="getAllChildrenNumber", path=self.path()),
                dict(op="whoAmI"),
                dict(op="deleteContainer", path=self.path()),
                dict(op="reconfig"),
                dict(op="sasl", token="abc"),
            ]
        )

    def quota(self, c):
        if self.random.random() < 0.6:
            path = self.random.choice(QUOTA)
            data = self.random.choice(LIMITS) if path.endswith("limits") else ""
            return dict(op="create", path=path, data=data, acl=ACLS_GOOD[0], flags=0)
        if self.random.random() < 0.5:
            return dict(op="getData", path=self.random.choice(QUOTA), watch=False)
        return dict(op="delete", path=self.random.choice(QUOTA), version=-1)
