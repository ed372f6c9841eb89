#!/usr/bin/python3
"""kill -9 under load, SIGTERM, damaged files and a full disk: nothing that was acknowledged may be lost.

The load: pipelined raw connections that create znodes with unique marks and overwrite registers with rising numbers, and
sessions that hold ephemerals. After each restart the whole tree is read: every acknowledged write is there, nothing that was
never sent is, sessions resume with their ids and passwords, ephemerals are there until their session expires, then gone.
"""

import ctypes
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
DAMAGED_DATA = 21  # docs/exit-codes.md


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
    check(code == DAMAGED_DATA, f"exit code {code}, wanted {DAMAGED_DATA}:\n{text}")
    check(segment.name in text, f"the message does not name {segment.name}:\n{text}")
    numbers = [int(word) for word in "".join(c if c.isdigit() else " " for c in text.replace(segment.name, "")).split()]
    near = [number for number in numbers if at - (1 << 20) <= number <= at and number > 0]
    check(near, f"the message names no offset at or shortly before {at}:\n{text}")


def may_mount():
    """Moves this process into mounts of its own, which end with it. Not permitted in some containers, even to root."""
    libc = ctypes.CDLL(None, use_errno=True)
    own_mounts = 0x00020000  # CLONE_NEWNS
    if os.geteuid() != 0 or libc.unshare(own_mounts) != 0:
        return False
    return subprocess.run(["mount", "--make-rprivate", "/"], check=False, capture_output=True).returncode == 0


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

    def unfinished(self):
        return [path.name for path in (self.mount / "data").rglob("*.tmp")]

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


class Filled:
    """Writes until the disk is full, and remembers what was acknowledged and what was refused."""

    def __init__(self, server):
        self.connection = protocol.opened(server.port, 40000)
        cases.same(self.connection.create("/full").error, 0, "create /full")
        self.acknowledged, self.refused = {}, []
        self.chunk = random.Random(7).randbytes(100_000)
        self.number = 0

    def write(self):
        self.number += 1
        path = f"/full/{self.number:06d}"
        data = struct.pack(">q", self.number) + self.chunk
        reply = self.connection.create(path, data)
        if reply.error == 0:
            self.acknowledged[path] = data
        else:
            self.refused.append((path, reply.error))
        return reply.error

    def write_until_refused(self):
        first = self.number
        while self.write() == 0:
            check(self.number < first + 5000, "the disk does not get full")
        cases.same({error for _, error in self.refused}, {-7}, "error codes of refused writes")

    def read(self, every=1):
        for path in list(self.acknowledged)[::every]:
            data = self.connection.get(path).body[0]
            check(data == self.acknowledged[path], f"{path} is not what was written")

    def resume(self, server):
        session = self.connection.session
        self.connection.close()
        self.connection = protocol.opened(server.port, session.timeout, session=session.id, password=session.password)
        cases.same(self.connection.session.id, session.id, "id of the session that resumes on the full disk")


def fill_and_free(server, disk):
    """What the whole journey is stands in the README of the tests: full, still served, started again and again, freed."""
    server.start()
    owners = [protocol.opened(server.port, 4000), protocol.opened(server.port, 30000)]
    owners += [protocol.opened(server.port, 40000) for _ in range(STARTS_ON_A_FULL_DISK)]
    for number, owner in enumerate(owners):
        cases.same(owner.create(f"/e{number}", b"", flags=1).error, 0, "create an ephemeral")
    filled = Filled(server)
    for _ in range(20):
        cases.same(filled.write(), 0, "a write while there is room")
    disk.fill(leave=1 << 20)
    filled.write_until_refused()
    # Full: reads are answered, further writes refused with the same code and not executed, sessions end and expire.
    filled.read(every=5)
    for _ in range(5):
        cases.same(filled.write(), -7, "a write on the full disk")
    cases.same(owners[1].close_session().error, 0, "closing a session on the full disk")
    cases.same(filled.connection.exists("/e1").error, -101, "the ephemeral of the session that closed")
    owners[0].close()
    waiting.until(lambda: filled.connection.exists("/e0").error == -101, 30, "a session expires on the full disk", every=0.2)
    check(server.is_running(), "the server ended on a full disk")
    start_on_full_disk(server, disk, filled, owners[2:])
    disk.free()
    waiting.until(lambda: filled.write() == 0, 30, "writes succeed after space was freed", every=0.2)
    for _ in range(10):
        cases.same(filled.write(), 0, "a write after space was freed")
    for path, _ in filled.refused:
        cases.same(filled.connection.exists(path).error, -101, f"{path}, which was refused")
    server.kill()
    server.start()
    filled.resume(server)
    filled.read()
    found = set(filled.connection.children("/full").body[0])
    cases.same(found, {path[6:] for path in filled.acknowledged}, "what is there after kill -9")
    filled.connection.close_session()
    cases.same(server.stop(), 0, "exit code")
    return f"{len(filled.acknowledged)} written, {len(filled.refused)} refused, {STARTS_ON_A_FULL_DISK} starts on the full disk"


STARTS_ON_A_FULL_DISK = 8


def start_on_full_disk(server, disk, filled, owners):
    """Each start serves reads, and sessions that come back and end, as well as the first one did; and takes no more."""
    for number, owner in enumerate(owners):
        server.kill()
        disk.fill()  # Whatever became free is somebody else's now.
        server.start()
        filled.resume(server)
        filled.read(every=20)
        disk.fill()
        filled.write_until_refused()
        session = owner.session
        owner.close()
        resumed = protocol.opened(server.port, session.timeout, session=session.id, password=session.password)
        cases.same(resumed.close_session().error, 0, f"closing a session after start {number}")
        cases.same(filled.connection.exists(f"/e{number + 2}").error, -101, "the ephemeral of the session that closed")
        # A snapshot that is being tried is one for a moment.
        waiting.until(lambda: not disk.unfinished(), 10, "what was tried without space goes away")


def main():
    parser = servers.arguments(__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="how many times kill -9 (50 in the long run)")
    parser.add_argument("--long", action="store_true", help="50 rounds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--writes", type=int, default=6000, help="a round is killed after 200 to so many acknowledged creates")
    parser.add_argument("--disk", type=int, default=96, help="size in MiB of the disk that gets full")
    options = parser.parse_args()
    if options.long:
        options.rounds = 50
    report = cases.Report(options.only)
    kills(options, report)
    if options.zookeeper:
        report.skip("a full disk", "ZooKeeper ends there; Quorate must not (R-902)")
    elif not may_mount():
        report.not_tested("a full disk", "this process may not mount a small file system (run it as root)")
    else:
        report.run("a full disk", disk_full, options)
    report.finish()


if __name__ == "__main__":
    main()
