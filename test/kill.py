#!/usr/bin/python3
"""kill -9 under load, SIGTERM, damaged files and a full disk: nothing that was acknowledged may be lost.

The load: pipelined raw connections that create znodes with unique marks and overwrite registers with rising numbers, and
sessions that hold ephemerals. After each restart the whole tree is read: every acknowledged write is there, nothing that was
never sent is, sessions resume with their ids and passwords, ephemerals are there until their session expires, then gone.
"""

import os
import pathlib
import random
import shutil
import struct
import subprocess
import tempfile
import threading
import time

from harness import cases, protocol, servers, waiting
from harness.cases import check

WRITERS = 4
DEPTH = 32
SESSION_TIMEOUT = 4000


class Writer(threading.Thread):
    """One connection with DEPTH writes under way: creates with unique marks, and a register that only rises."""

    def __init__(self, port, parent, number):
        super().__init__(daemon=True)
        self.connection = protocol.opened(port, 30000)
        self.parent, self.number = parent, number
        self.sent = {}  # path: data of every create that left
        self.acknowledged = set()  # paths
        self.register_sent = self.register_acknowledged = -1
        self.refused = []  # error codes
        self.stopping = False
        self.failure = None

    @property
    def register(self):
        return f"{self.parent}/r{self.number}"

    def run(self):
        waiting_for = []
        try:
            while not self.stopping or waiting_for:
                while not self.stopping and len(waiting_for) < DEPTH:
                    waiting_for.append(self.send())
                self.take(*waiting_for.pop(0))
        except (protocol.Closed, protocol.Timeout, OSError):
            pass  # The server was killed; what counts is what it had answered.
        except Exception as error:
            self.failure = error
        self.connection.close()

    def send(self):
        serial = self.connection.xid
        if serial % 4 == 3:
            value = self.register_sent = self.register_sent + 1
            return self.connection.send(5, protocol.set_data_body(self.register, str(value), value)), 5, value
        path = f"{self.parent}/w{self.number}-{serial:08d}"
        self.sent[path] = f"mark {path} {random.random()}".encode()
        return self.connection.send(1, protocol.create_body(path, self.sent[path])), 1, path

    def take(self, xid, opcode, what):
        reply = self.connection.receive_reply(opcode)
        cases.same(reply.xid, xid, "xid")
        if reply.error:
            raise cases.Failure(f"{reply} to {what}")
        if opcode == 1:
            self.acknowledged.add(what)
        else:
            self.register_acknowledged = what


class Load:
    """The writers and the sessions of one round."""

    def __init__(self, server, round_):
        self.server = server
        self.parent = f"/round{round_:04d}"
        boss = protocol.opened(server.port)
        cases.same(boss.create(self.parent).error, 0, f"create {self.parent}")
        self.owners = []
        self.pinged = 0
        for number in range(4):
            owner = protocol.opened(server.port, SESSION_TIMEOUT if number < 2 else 30000)
            path = f"{self.parent}/e{number}"
            cases.same(owner.create(path, b"here", flags=1).error, 0, f"create {path}")
            self.owners.append((owner, path))
        self.writers = [Writer(server.port, self.parent, number) for number in range(WRITERS)]
        for writer in self.writers:
            cases.same(boss.create(writer.register, b"none").error, 0, "create a register")
        boss.close_session()
        for writer in self.writers:
            writer.start()

    def count(self):
        return sum(len(writer.acknowledged) for writer in self.writers)

    def reached(self, wanted):
        """Whether so many creates were acknowledged; meanwhile the short sessions are kept alive."""
        if time.monotonic() - self.pinged > 0.5:
            self.pinged = time.monotonic()
            for owner, _ in self.owners[:2]:
                owner.ping()
        return self.count() >= wanted

    def end(self):
        for writer in self.writers:
            writer.stopping = True
        for writer in self.writers:
            writer.join(60)
            check(not writer.is_alive(), "a writer hangs")
            if writer.failure:
                raise cases.Failure(f"a writer: {writer.failure}")
        for owner, _ in self.owners:
            owner.close()

    def verify(self, all_written=False):
        """What is in the tree is what was sent, and all that was acknowledged."""
        reader = protocol.opened(self.server.port)
        reply = reader.children(self.parent)
        check(reply.error == 0, f"{self.parent} is lost: {reply}")
        names = set(reply.body[0])
        for writer in self.writers:
            found = {f"{self.parent}/{name}" for name in names if name.startswith(f"w{writer.number}-")}
            lost = writer.acknowledged - found
            check(not lost, f"{len(lost)} acknowledged writes are lost, such as {sorted(lost)[:3]}")
            strange = found - set(writer.sent)
            check(not strange, f"{len(strange)} znodes that nobody sent, such as {sorted(strange)[:3]}")
            if all_written:
                cases.same(found, set(writer.sent), "znodes after a clean end")
            self.verify_data(reader, writer, found)
            data, stat = reader.get(writer.register).body
            if data == b"none":
                value = -1
            else:
                value = int(data)
            check(
                writer.register_acknowledged <= value <= writer.register_sent,
                f"register at {value}, acknowledged {writer.register_acknowledged}, sent {writer.register_sent}",
            )
            cases.same(stat.version, value + 1, "the register's version")
        reader.close_session()

    @staticmethod
    def verify_data(reader, writer, paths):
        paths = sorted(paths)
        for at in range(0, len(paths), 200):
            chunk = paths[at : at + 200]
            for path in chunk:
                reader.send(4, protocol.path_and_flag(path, False))
            for path in chunk:
                data, stat = reader.receive_reply(4).body
                cases.same(data, writer.sent[path], f"data of {path}")
                cases.same((stat.version, stat.czxid == stat.mzxid), (0, True), f"stat of {path}")

    def verify_sessions(self):
        """Sessions resume with id and password; one is left alone and must expire, with its ephemeral."""
        port = self.server.port
        reader = protocol.opened(port)
        for owner, path in self.owners:
            stat = reader.exists(path).body[0]
            cases.same(stat.ephemeral_owner, owner.session.id, f"owner of {path} after the restart")
        for owner, path in self.owners[1:]:
            resumed = protocol.opened(port, owner.session.timeout, session=owner.session.id, password=owner.session.password)
            cases.same(resumed.session.id, owner.session.id, "id of the resumed session")
            cases.same(resumed.session.password, owner.session.password, "password of the resumed session")
            cases.same(resumed.set(path, b"resumed").error, 0, "a write in the resumed session")
            if owner is not self.owners[1][0]:
                resumed.close_session()
                cases.same(reader.exists(path).error, -101, f"{path} after its session closed")
            else:
                self.kept = resumed
        waiting.until(lambda: self.gone(reader, self.owners[0][1]), 20, "the ephemeral of an expired session goes")
        cases.same(reader.exists(self.owners[1][1]).error, 0, "the ephemeral of a session that pings")
        owner = self.owners[0][0]
        refused = protocol.opened(port, session=owner.session.id, password=owner.session.password)
        cases.same((refused.session.id, refused.session.timeout), (0, 0), "resuming an expired session")
        refused.close()
        self.kept.close_session()
        reader.close_session()

    def gone(self, reader, path):
        self.kept.ping()
        return reader.exists(path).error == -101


def kills(options, report):
    """All rounds on one data directory, so that each recovery has the earlier ones' history below it."""
    # Snapshots and new segments come often, so that they are under way when the kill comes.
    server = servers.tested(options, {"snapCount": "3000", "autopurge.purgeInterval": "1", "txnLogSizeLimitInKb": "1024"})
    chance = random.Random(options.seed)
    loads = []

    def one_round(number):
        load = Load(server, number)
        loads.append(load)
        wanted = chance.randrange(200, options.writes)
        waiting.until(lambda: load.reached(wanted) or not server.is_running(), 60, f"{wanted} writes are acknowledged")
        check(server.is_running(), "the server ended by itself")
        server.kill()
        load.end()
        server.start()
        if number % 5 == 1:
            load.verify_sessions()
        for each in loads[-3:] if number % 10 else loads:
            each.verify()
        return f"{load.count()} acknowledged of {sum(len(w.sent) for w in load.writers)} sent"

    server.start()
    for number in range(1, options.rounds + 1):
        if not report.run(f"kill -9, round {number}", one_round, number, before_failure=server.log_tail) and not report.only:
            break
    report.run("kill -9 twice, the second while recovering", kill_while_recovering, server, loads, before_failure=server.log_tail)
    report.run("a lost write would be seen", roll_back, server, before_failure=server.log_tail)
    report.run("SIGTERM under load", terminate, server, before_failure=server.log_tail)
    if not options.zookeeper:
        report.run("damage in the middle of the log stops the start", damage, server, options, before_failure=server.log_tail)
    server.destroy()


def kill_while_recovering(server, loads):
    if not server.is_running():
        server.start()
    load = Load(server, 9000)
    loads.append(load)
    waiting.until(lambda: load.count() >= 500, 60, "500 writes")
    server.kill()
    load.end()
    server.launch()
    waiting.until(lambda: server.log_path.stat().st_size > 0, 10, "the server says something")
    server.kill()
    server.start()
    for each in loads:
        each.verify()


def roll_back(server):
    """The proof that a lost write would be seen: an earlier copy of the data directory in the later one's place."""
    if not server.is_running():
        server.start()
    load = Load(server, 9002)
    copy = server.home / "copy"
    waiting.until(lambda: load.reached(300), 60, "300 writes")
    server.kill()
    load.end()
    shutil.copytree(server.data, copy)
    server.start()
    later = Load(server, 9003)
    waiting.until(lambda: later.reached(300), 60, "300 writes")
    server.kill()
    later.end()
    aside = server.home / "aside"
    shutil.move(server.data, aside)
    shutil.copytree(copy, server.data)
    server.start()
    load.verify()
    try:
        later.verify()
    except Exception as seen:
        return f"seen: {type(seen).__name__}"
    finally:
        server.kill()
        shutil.rmtree(server.data)
        shutil.move(aside, server.data)
        shutil.rmtree(copy)
    raise cases.Failure("a data directory that was rolled back went unnoticed")


def terminate(server):
    """SIGTERM ends the process with 0 and loses nothing (a ZooKeeper in Java ends with 143)."""
    if not server.is_running():
        server.start()
    load = Load(server, 9001)
    waiting.until(lambda: load.count() >= 500, 60, "500 writes")
    code = server.stop()
    load.end()
    cases.same(code, 143 if server.kind == "zookeeper" else 0, "exit code after SIGTERM")
    server.start()
    load.verify()
    cases.same(server.stop(), 143 if server.kind == "zookeeper" else 0, "exit code after SIGTERM when idle")


def damage(server, options):
    """R-116: a flipped bit before the tail stops the start with the file and the offset; putting it back heals it."""
    # A directory without a snapshot, so that the whole log counts.
    if server.is_running():
        server.stop()
    server = servers.tested(options).start()
    load = Load(server, 1)
    waiting.until(lambda: load.reached(4000), 60, "4000 writes")
    cases.same(server.stop(), 0, "exit code")
    load.end()
    segments = sorted(pathlib.Path(server.data).rglob("*.log"))
    check(segments, f"no log segments under {server.data}: {[p.name for p in server.data.rglob('*')]}")
    flipped = 0
    for segment in segments:
        content = segment.read_bytes()
        used = len(content.rstrip(b"\0"))
        if used < 64 * 1024:
            continue
        at = next(i for i in range(used // 2, used) if content[i])
        copy = pathlib.Path(tempfile.mkdtemp(prefix="quorate-test-damage-")) / "data"
        try:
            shutil.copytree(server.data, copy)
            broken = copy / segment.relative_to(server.data)
            with open(broken, "r+b") as file:
                file.seek(at)
                file.write(bytes([content[at] ^ 0x10]))
            refuses(options, copy, segment, at)
            with open(broken, "r+b") as file:
                file.seek(at)
                file.write(content[at : at + 1])
            healed = servers.tested(options, directory=copy)
            healed.start()
            cases.same(healed.stop(), 0, "exit code with the bit put back")
            flipped += 1
        finally:
            shutil.rmtree(copy.parent, ignore_errors=True)
        if flipped == 2:
            break
    check(flipped, "no segment is long enough to be damaged in its middle")
    return f"{flipped} segments"


def refuses(options, directory, segment, at):
    broken = servers.tested(options, directory=directory).launch()
    try:
        code = broken.process.wait(30)
    except subprocess.TimeoutExpired:
        raise cases.Failure(f"a server with byte {at} of {segment.name} flipped runs") from None
    text = broken.log_tail(50)
    check(code not in (0, 134, 139), f"exit code {code}:\n{text}")
    check(segment.name in text, f"the message does not name {segment.name}:\n{text}")
    numbers = [int(word) for word in "".join(c if c.isdigit() else " " for c in text.replace(segment.name, "")).split()]
    near = [number for number in numbers if at - (1 << 20) <= number <= at and number > 0]
    check(near, f"the message names no offset at or shortly before {at}:\n{text}")


class FullDisk:
    """A small file system of its own, and a file that fills it."""

    def __init__(self, megabytes):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="quorate-test-disk-"))
        self.image, self.mount = self.base / "image", self.base / "mount"
        self.mount.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(self.mount)], check=True)
        self.filler = self.mount / "filler"

    def fill(self, leave=0):
        free = os.statvfs(self.mount)
        count = max(0, free.f_bavail * free.f_bsize - leave)
        with open(self.filler, "ab", buffering=0) as file:
            block = b"\xff" * 65536
            try:
                while count > 0:
                    count -= file.write(block[: min(count, len(block))])
            except OSError:
                pass

    def free(self):
        self.filler.unlink()

    def close(self):
        subprocess.run(["umount", "-l", str(self.mount)], check=False)
        shutil.rmtree(self.base, ignore_errors=True)


def disk_full(options):
    """R-902: reads go on, writes get -7, service resumes by itself, and nothing acknowledged is lost."""
    disk = FullDisk(options.disk)
    try:
        server = servers.tested(options, {"preAllocSize": "4096"}, directory=disk.mount / "data")
        try:
            return fill_and_free(server, disk)
        except Exception:
            print(server.log_tail())
            raise
        finally:
            server.destroy()
    finally:
        disk.close()


def fill_and_free(server, disk):
    server.start()
    connection = protocol.opened(server.port, 30000)
    cases.same(connection.create("/full").error, 0, "create /full")
    acknowledged, refused = {}, []
    chunk = random.Random(7).randbytes(100_000)

    def write(number):
        path = f"/full/{number:06d}"
        data = struct.pack(">q", number) + chunk
        reply = connection.create(path, data)
        if reply.error == 0:
            acknowledged[path] = data
        else:
            refused.append((path, reply.error))
        return reply.error

    for number in range(20):
        cases.same(write(number), 0, "a write while there is room")
    disk.fill(leave=1 << 20)
    number = 20
    while write(number) == 0:
        number += 1
        check(number < 5000, "the disk does not get full")
    # Full: reads are answered, further writes refused with the same code and not executed, sessions may still end.
    for path in list(acknowledged)[::5]:
        cases.same(connection.get(path).body[0], acknowledged[path], f"{path} on the full disk")
    for extra in range(5):
        write(number + 1 + extra)
    cases.same({error for _, error in refused}, {-7}, "error codes of refused writes")
    check(server.is_running(), "the server ended on a full disk")
    disk.free()
    again = [number + 100]

    def resumed():
        again[0] += 1
        return write(again[0]) == 0

    waiting.until(resumed, 30, "writes succeed after space was freed", every=0.2)
    for path, _ in refused:
        cases.same(connection.exists(path).error, -101, f"{path}, which was refused")
    for more in range(10):
        cases.same(write(again[0] + 1 + more), 0, "a write after space was freed")
    server.kill()
    server.start()
    reader = protocol.opened(server.port)
    for path, data in acknowledged.items():
        reply = reader.get(path)
        cases.same((reply.error, reply.body and reply.body[0] == data), (0, True), f"{path} after kill -9")
    cases.same(set(reader.children("/full").body[0]), {path[6:] for path in acknowledged}, "what is there after kill -9")
    cases.same(server.stop(), 0, "exit code")
    return f"{len(acknowledged)} written, {len(refused)} refused"


def main():
    parser = servers.arguments(__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="how many times kill -9 (50 in the long run)")
    parser.add_argument("--long", action="store_true", help="50 rounds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--writes", type=int, default=6000, help="a round is killed after 200 to so many acknowledged creates")
    parser.add_argument("--disk", type=int, default=320, help="size in MiB of the disk that gets full")
    options = parser.parse_args()
    if options.long:
        options.rounds = 50
    report = cases.Report(options.only)
    kills(options, report)
    if os.geteuid() != 0:
        report.skip("a full disk", "mounting needs root")
    elif options.zookeeper:
        report.skip("a full disk", "ZooKeeper ends there; Quorate must not (R-902)")
    else:
        report.run("a full disk", disk_full, options)
    report.finish()


if __name__ == "__main__":
    main()
