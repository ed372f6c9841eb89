#!/usr/bin/python3
"""Clients that break the rules: after each of them the server runs, and serves those who keep the rules.

A witness keeps one session through all cases on a server; after each case it must still be served, within its deadline, and
so must a new client.
"""

import os
import random
import socket
import struct
import threading
import time

from harness import cases, protocol, servers, waiting
from harness.cases import check, same

FRAME_MAX = 1048575
LONG = 3_600_000  # Longer than any case takes: who has nothing to say in it must not expire.
SETTINGS = {"nio.sessionlessCnxnTimeout": "2000", "jute.maxbuffer": str(FRAME_MAX), "maxSessionTimeout": str(LONG)}


class Court:
    """The server, and the witness."""

    def __init__(self, options, settings=None, wrapper=()):
        self.server = servers.tested(options, dict(SETTINGS, **(settings or {})))
        if wrapper:
            command = self.server.command()
            self.server.command = lambda: [*wrapper, *command]
        self.server.start()
        self.port = self.server.port
        self.witness = protocol.opened(self.port, LONG)
        same(self.witness.create("/witness", b"0").error, 0, "create /witness")
        self.count = 0

    def healthy(self, seconds=10):
        check(self.server.is_running(), f"the server ended: {self.server.log_tail()}")
        self.count += 1
        value = str(self.count).encode()
        same(self.witness.call(5, protocol.set_data_body("/witness", value), seconds=seconds).error, 0, "the witness writes")
        same(self.witness.get("/witness").body[0], value, "the witness reads")
        other = protocol.opened(self.port)
        same(other.get("/witness").body[0], value, "a new client reads")
        other.close_session()

    def case(self, report, name, run, *arguments):
        def both():
            note = run(self, *arguments)
            self.healthy()
            return note

        report.run(name, both, before_failure=self.server.log_tail)

    def resident(self):
        with open(f"/proc/{self.server.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) * 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.server.process.pid}/fd"))


def closed(connection, seconds=5):
    """Drops what still comes; true when the server closes in time."""
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            connection.receive_raw(1, end - time.monotonic())
    except (protocol.Closed, OSError):
        return True
    except protocol.Timeout:
        pass
    return False


def bad_lengths(court):
    """Protocol 1.1."""
    count = 0
    for length in (-1, -2147483648, FRAME_MAX + 1, 2147483647, 0, 4, 7, 0x47455420):
        for handshake in (False, True):
            connection = protocol.Connection(court.port)
            if handshake:
                connection.connect()
            body = b"\0" * length if 0 <= length < 100 else b"\0" * 64
            connection.send_raw(protocol.integer(length) + body)
            check(closed(connection), f"length {length}, handshake {handshake}: not closed")
            connection.close()
            count += 1
    return f"{count} connections closed"


def lying_lengths(court):
    """Lengths and counts inside a frame that promise more than there is: -5, and the connection goes on."""
    connection = protocol.opened(court.port)
    acl = protocol.acl_list(protocol.OPEN_ACL)
    for lie in (2147483647, 1 << 24, FRAME_MAX * 3, 1000):
        bodies = {
            1: [
                protocol.integer(lie) + b"/x",
                protocol.buffer("/x") + protocol.integer(lie),
                protocol.buffer("/x") + protocol.buffer(b"") + protocol.integer(lie) + acl[4:] + protocol.integer(0),
            ],
            4: [protocol.integer(lie) + b"/x\0"],
            101: [protocol.long(0) + protocol.integer(lie) + protocol.buffer("/x")],
            14: [protocol.integer(1) + b"\0" + protocol.integer(-1) + protocol.integer(lie) + b"/x"],
        }
        for opcode, forms in bodies.items():
            for body in forms:
                same(connection.call(opcode, body).error, -5, f"opcode {opcode} with a length of {lie}")
    connection.close_session()


def largest_frame(court):
    """A frame of exactly the limit is accepted (protocol 1.1), and what it carried comes back."""
    connection = protocol.opened(court.port)
    overhead = 8 + len(protocol.create_body("/large", b""))
    data = random.Random(3).randbytes(FRAME_MAX - overhead)
    same(connection.create("/large", data).error, 0, "create with the largest frame")
    same(connection.get("/large").body[0] == data, True, "data of the largest frame")
    same(connection.delete("/large").error, 0, "delete")
    connection.close_session()


def garbage(court, count):
    """Random bytes, before and after the handshake, whole frames and none."""
    chance = random.Random(11)
    for number in range(count):
        try:
            connection = protocol.Connection(court.port)
            if number % 3:
                connection.connect(4000)
            if number % 2:
                # A whole frame, so that it is decoded; known opcodes, but none whose acceptance poisons ZooKeeper.
                opcode = chance.choice([1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 14, 15, 17, 18, 22, 100, 101, 102, 103, 104, 105, 106, 107])
                body = chance.randbytes(chance.randrange(200))
                connection.send_raw(protocol.request(number, opcode, body))
            else:
                connection.send_raw(chance.randbytes(chance.randrange(1, 3000)))
            connection.close()
        except (protocol.Closed, OSError):
            pass
    return f"{count} connections"


def half_frames(court):
    """A frame in single bytes is a frame; half a frame and then the end is nothing."""
    connection = protocol.Connection(court.port)
    data = protocol.frame(protocol.connect_request(30000)) + protocol.request(1, 4, protocol.path_and_flag("/witness", False))
    for byte in data:
        connection.send_raw(bytes([byte]))
    connection.session = protocol.Session(connection.receive())
    same(connection.receive_reply(4).error, 0, "a read that came byte by byte")
    connection.send_raw(protocol.request(2, 5, protocol.set_data_body("/witness", b"half"))[:-3])
    connection.close()
    check(court.witness.get("/witness").body[0] != b"half", "half a request was executed")


def resets(court):
    """Connections that are reset at every stage leave nothing behind."""
    before = court.descriptors()
    for number in range(600):
        try:
            connection = protocol.Connection(court.port)
            if number % 3 == 1:
                connection.send_raw(protocol.frame(protocol.connect_request(4000))[: number % 49])
            if number % 3 == 2:
                connection.connect(4000)
                connection.send(4, protocol.path_and_flag("/", False))
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        except (protocol.Closed, OSError):
            pass
    waiting.until(lambda: court.descriptors() <= before + 8, 20, f"descriptors fall back to about {before}")


def slow_handshake(court):
    """A client that never completes its handshake is dropped (protocol 1.8), silent or dribbling."""
    silent = protocol.Connection(court.port)
    silent.send_raw(b"\0\0")
    mute = socket.create_connection(("127.0.0.1", court.port), timeout=20)
    check(closed(silent, 20), "a silent client was not dropped")
    with mute:
        check(mute.recv(1) == b"", "no end of stream")  # A reset would raise.
    if court.server.kind == "zookeeper":
        return "silent only: a dribbling client is never dropped by ZooKeeper"
    dribbling = protocol.Connection(court.port)
    data = protocol.frame(protocol.connect_request(30000))[:-1]
    end = time.monotonic() + 20
    for byte in data:
        try:
            dribbling.send_raw(bytes([byte]))
            dribbling.receive_raw(1, 0.5)
        except protocol.Timeout:
            pass
        except protocol.Closed:
            return "silent and dribbling"
        check(time.monotonic() < end, "a dribbling client was not dropped")
    raise cases.Failure("a dribbling client was not dropped")


def slow_reader(court, megabytes):
    """A client that asks for much and reads nothing costs a bounded amount of memory, and nobody else any time."""
    data = b"d" * 500_000
    same(court.witness.create("/slow", data).error, 0, "create /slow")
    before = court.resident()
    greedy = protocol.opened(court.port, LONG)
    request = protocol.request(5, 4, protocol.path_and_flag("/slow", False))
    greedy.socket.settimeout(2)
    asked = 0
    try:
        for asked in range(megabytes * 2):
            greedy.socket.sendall(request)
    except OSError:
        pass
    most = 0
    for _ in range(20):
        begun = time.monotonic()
        court.healthy()
        check(time.monotonic() - begun < 2, "others wait for a client that does not read")
        most = max(most, court.resident() - before)
    if court.server.kind != "zookeeper":
        check(most < 128 << 20, f"{most >> 20} MiB more for a client that does not read")
    greedy.close()
    same(court.witness.delete("/slow").error, 0, "delete /slow")
    return f"{asked + 1} reads of 500 kB asked, at most {most >> 20} MiB more"


def deaf_watcher(court, count):
    """A client that watches everything and reads nothing is bounded too: in the end its connection is closed."""
    before = court.resident()
    deaf = protocol.opened(court.port, LONG)
    deaf.call(106, protocol.path_and_number("/", 1))
    path = "/deaf-" + "x" * 900
    same(court.witness.create(path).error, 0, "create")
    busy = protocol.opened(court.port)
    for _ in range(count // 500):
        for _ in range(500):
            busy.send(5, protocol.set_data_body(path, b"1"))
        for _ in range(500):
            same(busy.receive_reply(5).error, 0, "a write")
    busy.close_session()
    more = court.resident() - before
    if court.server.kind != "zookeeper":
        check(more < 128 << 20, f"{more >> 20} MiB more for a watcher that does not read")
    deaf.close()
    same(court.witness.delete(path).error, 0, "delete")
    return f"{count} events of about 1 kB, {more >> 20} MiB more"


def large_credentials(court, count):
    """Every entry of the log carries its connection's credentials: they are bounded, and counted in the back-pressure (S-202)."""
    before = court.resident()
    if court.server.kind != "zookeeper":
        refused = protocol.opened(court.port)
        same(refused.auth("digest", b"u" * 60_000 + b":pw").error, -115, "credentials of 60,000 bytes")
        refused.expect_closed()
        refused.close()
    same(court.witness.create("/signed").error, 0, "create /signed")
    flooding = [protocol.opened(court.port) for _ in range(3)]
    data = b"".join(protocol.request(xid, 5, protocol.set_data_body("/signed", b"x")) for xid in range(1, count + 1))
    for connection in flooding:
        same(connection.auth("digest", b"u" * 8_000 + b":pw").error, 0, "credentials of 8,000 bytes")
        connection.send_raw(data)
    most = 0
    for connection in flooding:
        for xid in range(1, count + 1):
            same(struct.unpack_from(">iqi", connection.receive())[::2], (xid, 0), "xid and err")
            if xid % 500 == 0:
                most = max(most, court.resident() - before)
        connection.close_session()
    if court.server.kind != "zookeeper":
        # 48 MiB under way at most, each in the batch, in the record that is being written and in what is made next: that
        # takes more writes than a short run has.
        limit = 200 if count <= 3000 else 400
        check(most < limit << 20, f"{most >> 20} MiB more for writes with large credentials")
    same(court.witness.delete("/signed").error, 0, "delete /signed")
    return f"{3 * count} writes, at most {most >> 20} MiB more"


def large_multi_reads(court, count):
    """A multiRead of 5 kB may ask for 250 MB: it is refused for little, and others are served meanwhile (S-203, S-204)."""
    before = court.resident()
    same(court.witness.create("/great", b"x" * 900_000).error, 0, "create /great")
    asking = protocol.opened(court.port)
    read = (4, protocol.path_and_flag("/great", False))
    same(asking.call(22, protocol.multi_body([read] * 8)).error, 0, "a multiRead of 7 MB")
    if court.server.kind == "zookeeper":
        asking.close_session()
        same(court.witness.delete("/great").error, 0, "delete /great")
        return "no bound of its own on ZooKeeper"
    begun = time.monotonic()
    body = protocol.multi_body([read] * 280)
    for _ in range(count):
        asking.send(22, body)
    slowest = 0.0
    for _ in range(20):
        asked = time.monotonic()
        same(court.witness.get("/witness").error, 0, "the witness reads meanwhile")
        slowest = max(slowest, time.monotonic() - asked)
    for _ in range(count):
        same(asking.receive_reply(22).error, -5, "a multiRead of 250 MB")
    each = (time.monotonic() - begun) / count
    more = court.resident() - before
    check(more < 100 << 20, f"{more >> 20} MiB more for multiReads")
    check(slowest < 0.2, f"the witness waited {slowest:.2f} s")
    asking.close_session()
    same(court.witness.delete("/great").error, 0, "delete /great")
    return f"{each * 1000:.1f} ms each, the witness waited at most {slowest * 1000:.0f} ms, {more >> 20} MiB more"


def large_watches(court, count):
    """Watches are bounded by the bytes of their paths: -7 beyond, and nothing is lost that stood before (S-202)."""
    if court.server.kind == "zookeeper":
        return "unbounded on ZooKeeper"
    before = court.resident()
    watching = protocol.opened(court.port)
    same(watching.call(106, protocol.path_and_number("/watched", 0)).error, 0, "addWatch")
    errors = []
    for number in range(count):
        path = f"/{number:06d}" + "w" * 1_000_000
        errors.append(watching.call(106, protocol.path_and_number(path, 0)).error)
    taken = errors.count(0)
    same(errors, [0] * taken + [-7] * (count - taken), "the answers")
    check(50 < taken < 70, f"{taken} watches of 1 MB were accepted")
    again = [protocol.buffer(f"/{number:06d}" + "w" * 1_000_000) for number in range(1)]
    same(watching.call(4, again[0] + b"\x01").error, -101, "a getData that sets no watch")
    more = court.resident() - before
    check(more < 160 << 20, f"{more >> 20} MiB more for watches")
    same(court.witness.create("/watched").error, 0, "create /watched")
    same(watching.exists("/watched").error, 0, "exists")
    same([event.path for event in watching.events], ["/watched"], "the event of the first watch")
    same(court.witness.delete("/watched").error, 0, "delete /watched")
    watching.close_session()
    return f"{taken} of {count} watches with paths of 1 MB, {more >> 20} MiB more"


def endless_sasl(court):
    """A client that does not see that there is no SASL is told by the end of its connection."""
    if court.server.kind == "zookeeper":
        return "answered for ever on ZooKeeper"
    asking = protocol.opened(court.port)
    for _ in range(10):
        same(asking.call(102, protocol.buffer(b"")).error, 0, "sasl")
    asking.expect_closed()
    asking.close()


def flood(court, count):
    """Requests by the hundred thousand without waiting: all are answered, in order, and others are served meanwhile."""
    flooding = protocol.opened(court.port)
    data = b"".join(protocol.request(xid, 4, protocol.path_and_flag("/witness", False)) for xid in range(1, count + 1))
    sender = threading.Thread(target=lambda: flooding.send_raw(data), daemon=True)
    sender.start()
    slowest = 0.0
    for xid in range(1, count + 1):
        if xid % (count // 10) == 1:
            begun = time.monotonic()
            same(court.witness.get("/witness").error, 0, "the witness reads in the flood")
            slowest = max(slowest, time.monotonic() - begun)
        same(struct.unpack_from(">iqi", flooding.receive())[::2], (xid, 0), "xid and err")
    sender.join(10)
    check(slowest < 2, f"the witness waited {slowest:.1f} s")
    flooding.close_session()
    return f"{count} answers, the witness waited at most {slowest * 1000:.0f} ms"


def write_flood(court, count):
    flooding = protocol.opened(court.port)
    same(flooding.create("/flood").error, 0, "create /flood")
    data = b"".join(protocol.request(xid, 5, protocol.set_data_body("/flood", str(xid))) for xid in range(1, count + 1))
    sender = threading.Thread(target=lambda: flooding.send_raw(data), daemon=True)
    sender.start()
    slowest = 0.0
    for xid in range(1, count + 1):
        if xid % (count // 10) == 1:
            begun = time.monotonic()
            same(court.witness.ping().error, 0, "the witness pings in the flood")
            slowest = max(slowest, time.monotonic() - begun)
        same(struct.unpack_from(">iqi", flooding.receive())[::2], (xid, 0), "xid and err")
    sender.join(10)
    same(flooding.get("/flood").body[1].version, count, "version after the flood")
    check(slowest < 2, f"the witness waited {slowest:.1f} s")
    same(flooding.delete("/flood").error, 0, "delete /flood")
    flooding.close_session()
    return f"{count} answers, the witness waited at most {slowest * 1000:.0f} ms"


def in_groups(connection, names, opcode, body, size=5000):
    """One request for each name, pipelined; never so many that neither side reads any more."""
    for start in range(0, len(names), size):
        group = names[start : start + size]
        for name in group:
            connection.send(opcode, body(name))
        for name in group:
            same(connection.receive_reply(opcode).error, 0, f"opcode {opcode} of {name}")


def large_listing(court, count):
    """The server places no limit on its own replies (protocol 1.1)."""
    connection = protocol.opened(court.port)
    same(connection.create("/wide").error, 0, "create /wide")
    names = [f"{number:08d}-" + "n" * 110 for number in range(count)]
    in_groups(connection, names, 1, lambda name: protocol.create_body("/wide/" + name, b""))
    for opcode in (8, 12):
        reply = connection.call(opcode, protocol.path_and_flag("/wide", False))
        same(sorted(reply.body[0]) == names, True, "the children")
    size = sum(4 + len(name) for name in names)
    check(size > 1 << 20, "the listing is not larger than 1 MiB")
    in_groups(connection, names, 2, lambda name: protocol.path_and_number("/wide/" + name, -1))
    same(connection.delete("/wide").error, 0, "delete /wide")
    connection.close_session()
    return f"{size} bytes of names"


def vanishing_sessions(court, count):
    """Sessions by the hundred whose clients vanish: they expire, their ephemerals go, and their descriptors too."""
    before = court.descriptors()
    for number in range(count):
        connection = protocol.opened(court.port, 4000)
        same(connection.create(f"/vanish-{number}", flags=1).error, 0, "create an ephemeral")
        connection.close()
    waiting.until(
        lambda: not any(name.startswith("vanish-") for name in court.witness.children("/").body[0]), 30, "the ephemerals go", 0.2
    )
    waiting.until(lambda: court.descriptors() <= before + 8, 20, f"descriptors fall back to about {before}")


def too_many_connections(court, limit):
    """maxClientCnxns: connections beyond it are closed without a byte (protocol 14.1); other addresses are not concerned."""
    kept = [protocol.opened(court.port) for _ in range(limit - 1)]
    for _ in range(20):
        over = None
        try:
            over = protocol.Connection(court.port)  # The reset may come before connect() is back (protocol 14.1).
            over.send_raw(protocol.frame(protocol.connect_request(30000)))
            data = over.receive_raw(1, 5)
            raise cases.Failure(f"a connection beyond the limit was answered: {data.hex()}")
        except (protocol.Closed, OSError):
            pass
        if over is not None:
            over.close()
    elsewhere = protocol.Connection.__new__(protocol.Connection)
    elsewhere.seconds, elsewhere.received, elsewhere.events, elsewhere.xid = 10, bytearray(), [], 0
    elsewhere.socket = socket.create_connection(("127.0.0.1", court.port), 10, source_address=("127.0.0.2", 0))
    elsewhere.connect()
    same(elsewhere.get("/").error, 0, "a client from another address")
    elsewhere.close_session()
    for connection in kept:
        same(connection.get("/").error, 0, "a client within the limit")
    for connection in kept:
        connection.close_session()

    def again():
        try:
            protocol.opened(court.port).close_session()
            return True
        except (protocol.Closed, OSError):
            return False

    waiting.until(again, 10, "a client connects again")


def no_descriptors(court, count):
    """At the limit of open files new clients are refused, the rest goes on, and later all is as before."""
    connections = []
    for _ in range(count):
        try:
            connections.append(socket.create_connection(("127.0.0.1", court.port), 2))
        except OSError:
            break
    same(court.witness.get("/witness").error, 0, "the witness reads without descriptors")
    same(court.witness.set("/witness", b"starved").error, 0, "the witness writes without descriptors")
    for connection in connections:
        connection.close()

    def again():
        try:
            protocol.opened(court.port).close_session()
            return True
        except (protocol.Closed, protocol.Timeout, OSError):
            return False

    waiting.until(again, 30, "a client connects again")


def main():
    parser = servers.arguments(__doc__.splitlines()[0])
    parser.add_argument("--scale", type=int, default=1, help="how many times as much")
    options = parser.parse_args()
    scale = options.scale
    report = cases.Report(options.only)
    court = Court(options)
    court.case(report, "bad frame lengths", bad_lengths)
    court.case(report, "lying lengths inside a frame", lying_lengths)
    court.case(report, "the largest frame", largest_frame)
    court.case(report, "garbage", garbage, 400 * scale)
    court.case(report, "half frames and single bytes", half_frames)
    court.case(report, "resets at every stage", resets)
    court.case(report, "slow handshakes", slow_handshake)
    court.case(report, "a reader that does not read", slow_reader, 300 * scale)
    court.case(report, "a watcher that does not read", deaf_watcher, 100_000 * scale)
    court.case(report, "writes with large credentials", large_credentials, 3000 * scale)
    court.case(report, "multiReads that ask for too much", large_multi_reads, 100 * scale)
    court.case(report, "watches of very long paths", large_watches, 300 * scale)
    court.case(report, "SASL without end", endless_sasl)
    court.case(report, "a flood of reads", flood, 100_000 * scale)
    court.case(report, "a flood of writes", write_flood, 50_000 * scale)
    court.case(report, "a listing larger than a frame", large_listing, 10_000 * scale)
    court.case(report, "sessions whose clients vanish", vanishing_sessions, 300 * scale)
    court.server.destroy()
    limited = Court(options, {"maxClientCnxns": "20"})
    limited.case(report, "too many connections from an address", too_many_connections, 20)
    limited.server.destroy()
    if options.zookeeper:
        report.skip("no descriptors left", "a Java machine needs more of them than such a limit leaves")
    else:
        starved = Court(options, wrapper=("prlimit", "--nofile=96:96"))
        starved.case(report, "no descriptors left", no_descriptors, 300)
        starved.server.destroy()
    report.finish()


if __name__ == "__main__":
    main()
