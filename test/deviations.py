#!/usr/bin/python3
"""Where Quorate departs from Debian's ZooKeeper 3.8.0 on purpose: one case for each row of docs/differences.md.

The random scripts avoid these places or excuse the difference; here stands what Quorate must do there.
"""

import sys

from harness import cases, protocol, servers
from harness.cases import check, same

OPEN = protocol.OPEN_ACL


class Fixture:
    def __init__(self, server):
        self.server = server
        self.port = server.port
        self.tops = 0

    def top(self, connection):
        self.tops += 1
        path = f"/v{self.tops}"
        same(connection.create(path).error, 0, f"create {path}")
        return path

    def open(self):
        return protocol.opened(self.port)


def burst(connection, requests):
    """Sends (opcode, body) all at once and takes the replies in order."""
    data, opcodes = b"", []
    for opcode, body in requests:
        connection.xid += 1
        data += protocol.request(connection.xid, opcode, body)
        opcodes.append((connection.xid, opcode))
    connection.send_raw(data)
    replies = []
    for xid, opcode in opcodes:
        reply = connection.receive_reply(opcode)
        same(reply.xid, xid, "the order of replies")
        replies.append(reply)
    return replies


def events_of(connection):
    connection.ping()
    events, connection.events = [(event.type, event.path) for event in connection.events], []
    return events


def d01_event_zxid(f):
    a, b = f.open(), f.open()
    path = f.top(a)
    b.get(path, watch=True)
    wrote = a.set(path, b"x")
    b.ping()
    same([event.zxid for event in b.events], [wrote.zxid], "header zxid of the event")


def d02_exists_needs_read(f):
    a, b = f.open(), f.open()
    path = f.top(a) + "/closed"
    same(a.create(path, acl=((30, "world", "anyone"),)).error, 0, "create")
    same(b.exists(path, watch=True).error, -102, "exists without READ")
    same(a.set(path, b"x").error, 0, "set")
    same(events_of(b), [], "events of a refused exists")


def d03_create2_in_multi(f):
    a = f.open()
    path = f.top(a)
    kinds = {15: protocol.create_body(path + "/two"), 19: protocol.create_body(path + "/box", flags=4)}
    for opcode, body in kinds.items():
        reply = a.call(14, protocol.multi_body([(opcode, body)]))
        result = reply.body[0][0]
        same((result[0], result[2].rsplit("/")[-1], result[3].czxid), (15, {15: "two", 19: "box"}[opcode], reply.zxid), "result")
    reply = a.call(14, protocol.multi_body([(1, protocol.create_body(path + "/one"))]))
    same(reply.body[0][0], (1, 0, path + "/one"), "create inside a multi")


def d04_bad_flags_in_multi(f):
    a = f.open()
    path = f.top(a)
    good = (1, protocol.create_body(path + "/x"))
    for flags in (7, -1, 100):
        reply = a.call(14, protocol.multi_body([good, (1, protocol.create_body(path + "/y", flags=flags))]))
        same(reply.error, -5, f"a multi with flags {flags}")
    same(a.children(path).body[0], [], "children")


def d05_null_id_in_multi(f):
    a = f.open()
    path = f.top(a)
    for scheme in ("world", "digest", "ip"):
        bad = (1, protocol.create_body(path + "/y", acl=((31, scheme, None),)))
        same(a.call(bad[0], bad[1]).error, -5, f"a create with a null id of {scheme}")
        reply = a.call(14, protocol.multi_body([(2, protocol.path_and_number(path + "/none", -1)), bad]))
        same(reply.error, -5, f"a multi with a null id of {scheme} behind an operation that fails")


def d06_watch_modes_coexist(f):
    a, b = f.open(), f.open()
    path = f.top(a)
    for mode in (0, 1):
        same(b.call(106, protocol.path_and_number(path, mode)).error, 0, f"addWatch {mode}")
    b.get(path, watch=True)
    a.set(path, b"1")
    same(events_of(b), [(3, path)], "one event however many registrations match")
    a.set(path, b"2")
    same(events_of(b), [(3, path)], "the lasting watches outlive the standard one")
    a.create(path + "/x")
    same(events_of(b), [(1, path + "/x"), (4, path)], "recursive and persistent")
    same(b.call(18, protocol.path_and_number(path, 4)).error, 0, "removeWatches of type 4")
    same(b.call(17, protocol.path_and_number(path, 4)).error, -121, "checkWatches of type 4")
    same(b.call(17, protocol.path_and_number(path, 5)).error, 0, "checkWatches of type 5")
    a.delete(path + "/x")
    same(events_of(b), [(2, path + "/x")], "only the recursive one is left")
    same(b.call(18, protocol.path_and_number(path, 5)).error, 0, "removeWatches of type 5")
    a.set(path, b"3")
    same(events_of(b), [], "none is left")


def d07_check_watches_of_this_connection(f):
    a, b = f.open(), f.open()
    path = f.top(a)
    a.get(path, watch=True)
    same(a.call(17, protocol.path_and_number(path, 2)).error, 0, "checkWatches of the watcher")
    same(b.call(17, protocol.path_and_number(path, 2)).error, -121, "checkWatches of another")


def d08_ipv6(f):
    a = f.open()
    path = f.top(a)
    for number, text in enumerate(("::1", "fe80::/10", "2001:db8::1/128", "::ffff:127.0.0.1")):
        same(a.create(f"{path}/{number}", acl=((31, "ip", text), *OPEN)).error, 0, f"acl ip:{text}")
    for text in ("::1/129", "::g", ":::", "1:2:3:4:5:6:7:8:9", "fe80::1::2"):
        same(a.create(f"{path}/bad", acl=((31, "ip", text),)).error, -114, f"acl ip:{text}")


def d09_check_alone(f):
    a = f.open()
    path = f.top(a)
    same(a.call(13, protocol.path_and_number(path, -1)).error, -6, "check as a request of its own")
    a.expect_closed(5)


def d10_create_session(f):
    a = f.open()
    reply = a.call(-10, protocol.integer(30000))
    same((reply.zxid, reply.error), (-1, -6), "createSession")
    a.expect_closed(5)


def d11_ttl_poison(f):
    a = f.open()
    path = f.top(a)
    for flags in (0, 1, 2, 3, 4):
        for ttl in (-1, -1000, 0, 1):
            body = protocol.create_ttl_body(path + "/x", b"", OPEN, flags, ttl)
            same(a.call(21, body).error, -8, f"createTTL with flags {flags} and ttl {ttl}")
    same(a.children(path).body[0], [], "children")


def d12_wrong_password(f):
    owner = f.open()
    intruder = protocol.Connection(f.port)
    intruder.connect(session=owner.session.id, password=b"wrong password!!")
    same((intruder.session.id, intruder.session.timeout), (0, 0), "the intruder's session")
    same(owner.ping().error, 0, "the owner's connection")


def d13_null_path_in_add_watch(f):
    a = f.open()
    same(a.call(106, protocol.path_and_number(None, 0)).error, -8, "addWatch without a path")


def d14_garbage_in_quota(f):
    a = f.open()
    path = f.top(a)
    quota = "/zookeeper/quota" + path
    same(a.create(quota).error, 0, "create")
    for limits, stats in ((b"", b""), (b"rubbish", b"more"), (b"count=x,bytes=", b"\xff\xfe"), (b"=;=;", None), (None, b",")):
        same(a.create(quota + "/zookeeper_limits", limits).error, 0, f"limits of {limits}")
        same(a.create(quota + "/zookeeper_stats", b"").error, 0, "stats")
        same(a.set(quota + "/zookeeper_stats", stats).error, 0, f"stats of {stats}")
        same(a.create(path + "/x", b"12").error, 0, "create below the quota")
        same(a.set(path + "/x", b"123").error, 0, "set below the quota")
        same(a.delete(path + "/x").error, 0, "delete below the quota")
        for name in ("limits", "stats"):
            same(a.delete(f"{quota}/zookeeper_{name}").error, 0, f"delete {name}")


def d15_writes_behind_set_acl(f):
    a = f.open()
    for _ in range(20):
        path = f.top(a)
        replies = burst(
            a,
            [
                (7, protocol.set_acl_body(path, ((1 | 16, "world", "anyone"),))),
                (1, protocol.create_body(path + "/x")),
                (5, protocol.set_data_body(path, b"x")),
                (7, protocol.set_acl_body(path, OPEN)),
                (1, protocol.create_body(path + "/y")),
            ],
        )
        same([reply.error for reply in replies], [0, -102, -102, 0, 0], "requests behind setACL")


def d16_half_a_multi(f):
    a = f.open()
    for _ in range(20):
        path = f.top(a)
        bad = protocol.multi_body([(1, protocol.create_body(path + "/x")), (4, protocol.path_and_flag(path, False))])
        replies = burst(a, [(14, bad), (1, protocol.create_body(path + "/x/y")), (1, protocol.create_body(path + "/x"))])
        same([reply.error for reply in replies], [-5, -101, 0], "requests behind a multi that fails with -5")


def d17_auth_in_order(f):
    a = f.open()
    path = f.top(a)
    writes = [(5, protocol.set_data_body(path, b"x"))] * 200
    auth = [(100, protocol.integer(0) + protocol.buffer("digest") + protocol.buffer("bob:pw"))]
    mine = [(1, protocol.create_body(path + "/mine", acl=((31, "auth", ""),)))]
    same({reply.error for reply in burst(a, [*writes, *auth, *mine])}, {0}, "errors")


def d18_null_list_in_set_watches(f):
    a, b = f.open(), f.open()
    path = f.top(a)
    reply = b.call(105, protocol.set_watches_body(0, [path], [path], [], None, []))
    same(reply.error, -5, "setWatches2 with a null list")
    a.set(path, b"x")
    a.create(path + "/x")
    same(events_of(b), [], "events of a request that was refused")


def d19_beyond_the_bmp(f):
    a = f.open()
    path = "/\U0001f600"
    same(a.create(path).error, -8, "create")
    reply = a.call(101, protocol.set_watches_body(0, [path], [], []))
    same((reply.error, events_of(a)), (0, [(2, path)]), "an event in plain UTF-8")


def d20_delete_container(f):
    a = f.open()
    path = f.top(a) + "/x"
    a.create(path)
    same(a.call(20, protocol.buffer(path)).error, -8, "deleteContainer from a client")
    same(a.exists(path).error, 0, "exists")


def d22_relative_paths_of_watches(f):
    a, b = f.open(), f.open()
    path = f.top(a)
    same(b.call(106, protocol.path_and_number(path, 1)).error, 0, "addWatch, recursive")
    for opcode in (17, 18):
        for text in ("a/b", "a", "relative/"):
            same(a.call(opcode, protocol.path_and_number(text, 2)).error, -121, f"opcode {opcode} of {text}")


def main():
    parser = servers.arguments(__doc__.splitlines()[0])
    options = parser.parse_args()
    if options.zookeeper:
        sys.exit("these are the cases in which ZooKeeper is known to differ: there is nothing to prove on it")
    report = cases.Report(options.only)
    server = servers.tested(options).start()
    fixture = Fixture(server)

    def both(case):
        case(fixture)
        check(server.is_running(), "the server ended")
        fixture.open().close_session()

    for name, case in sorted(globals().items()):
        if name[0] == "d" and name[1:3].isdigit():
            report.run(name, both, case, before_failure=server.log_tail)
    report.finish()


if __name__ == "__main__":
    main()
