#!/usr/bin/python3
"""What a running server says and does beyond replies: its log's lines, stopped processes, directories, its own limits."""

import os
import pathlib
import signal
import subprocess
import sys

from harness import cases, protocol, servers, waiting
from harness.cases import check, same

QUICK = {"tickTime": "500", "minSessionTimeout": "1000", "maxSessionTimeout": "60000"}


def started(options, settings=None):
    server = servers.tested(options, settings)
    server.start()
    return server


def says(server, text, seconds=10):
    """Waits for a line of the log that holds `text`, and returns it."""

    def line():
        return next((each for each in server.log_path.read_text(errors="replace").splitlines() if text in each), None)

    return waiting.until(line, seconds, f"the log says {text!r}")


def figure(server, name):
    text = server.four_letter_word("mntr").decode()
    return float(next(line.split("\t")[1] for line in text.splitlines() if line.split("\t")[0] == f"zk_{name}"))


def commands(options):
    unknown = subprocess.run([options.quorate, "frobnicate", "--port", "1"], capture_output=True, text=True, timeout=20, check=False)
    same(unknown.returncode, 2, "the exit code for an unknown command")
    for word in ("'frobnicate'", "serve", "check-config", "bench", "verify", "repair"):
        check(word in unknown.stderr, f"{word} is missing in {unknown.stderr!r}")
    alone = subprocess.run([options.quorate], capture_output=True, text=True, timeout=20, check=False)
    same(alone.returncode, 2, "the exit code for no command")
    check("serve" in alone.stdout and "Usage" in alone.stdout, f"no help in {alone.stdout!r}")


def close_lines(options):
    """An operator learns why a client lost its connection; the client only sees the end."""
    server = started(options, {"jute.maxbuffer": "5000"})
    connection = protocol.opened(server.port)
    connection.send_raw(protocol.integer(70000))
    connection.expect_closed(10)
    line = says(server, f"with session 0x{connection.session.id:x}")
    for part in ("closing the connection from 127.0.0.1:", "jute.maxbuffer", "70000 bytes, allowed are 0 to 5000"):
        check(part in line, f"{part!r} is missing in {line!r}")
    server.destroy()


def quota_lines(options):
    """Protocol 11: a soft limit that is exceeded is a line in the log, and nothing else."""
    server = started(options)
    connection = protocol.opened(server.port)
    for path, data in (("/q", b""), ("/zookeeper/quota/q", b""), ("/zookeeper/quota/q/zookeeper_limits", b"count=2,bytes=-1"), ("/zookeeper/quota/q/zookeeper_stats", b"")):
        same(connection.create(path, data).error, 0, f"create {path}")
    for number in range(3):
        same(connection.create(f"/q/{number}").error, 0, "a create below the quota")
    check("its soft limit is 2" in says(server, "quota exceeded: /q has count="), "the limit is not named")
    server.destroy()


def spellings(options):
    """R-120: one directory under several names is one directory: it serves, and it is locked under all of them."""
    server = servers.tested(options)
    link = server.home / "link"
    link.symlink_to(server.data, target_is_directory=True)
    names = [str(link), f"{server.data}/.", f"{link}/../data", f"{server.data.parent}//data/"]
    written = 0
    for data, log in zip(names, [*names[1:], names[0]]):
        server.settings.update({"dataDir": data, "dataLogDir": log})
        server.start()
        connection = protocol.opened(server.port)
        same(len(connection.children("/").body[0]), written + 1, "what earlier starts wrote, and /zookeeper")
        same(connection.create(f"/start{written}").error, 0, "create")
        written += 1
        for other in names:
            second = servers.tested(options, {"dataDir": other, "dataLogDir": log})
            second.launch()
            same(second.process.wait(30), 3, f"the exit code of a second server on {other}")
            check("locked" in second.log_tail(), f"no word of the lock in {second.log_tail()}")
            second.destroy()
        same(server.stop(), 0, "the exit code")
    server.destroy()
    return f"{written} starts, {written * len(names)} refused beside them"


def snapshot_that_does_not_open(options):
    """R-611: a start takes the older snapshot and the log, whatever is wrong with the newest."""
    server = servers.tested(options, {"snapCount": "20"})
    server.start()
    connection = protocol.opened(server.port)
    for number in range(60):
        connection.create(f"/n{number}")
    waiting.until(lambda: list(server.data.glob("snapshots/*.snapshot")), 20, "a snapshot is written")
    same(server.stop(), 0, "the exit code")
    broken = server.data / "snapshots" / "00000000000099999999.snapshot"
    broken.mkdir()
    server.start()
    same(len(protocol.opened(server.port).children("/").body[0]), 61, "znodes")
    says(server, str(broken))
    server.destroy()


def reconfig(options):
    """Protocol 3.15: -123 as a server without reconfigEnabled, to whoever asks."""
    server = started(options)
    connection = protocol.opened(server.port)
    body = protocol.buffer("server.2=127.0.0.1:2888:3888;2181") + protocol.buffer(None) + protocol.buffer(None) + protocol.long(-1)
    same(connection.call(16, body).error, -123, "reconfig")
    connection.auth("digest", "super:secret")
    same(connection.call(16, body).error, -123, "reconfig by the super user")
    same(connection.ping().error, 0, "the connection goes on")
    server.destroy()
    enabled = started(options, {"reconfigEnabled": "true"})
    connection = protocol.opened(enabled.port)
    connection.auth("digest", "super:secret")
    same(connection.call(16, body).error, -6, "reconfig with reconfigEnabled, without clusters")
    enabled.destroy()


# A client in a process of its own, so that it can be stopped: an ephemeral znode, and pings until it is lost.
CLIENT = """
import sys
sys.path.insert(0, sys.argv[1])
from harness import protocol, waiting
connection = protocol.opened(int(sys.argv[2]), 1500)
connection.create("/of-the-stopped", b"", flags=1)
print(connection.session.id, connection.session.password.hex(), flush=True)
try:
    while True:
        connection.ping()
        waiting.let_pass(0.1)
except (protocol.Closed, OSError):
    print("lost", flush=True)
"""


def stopped_client(options):
    """A client that is stopped for longer than its timeout finds its session expired, and its ephemerals are gone."""
    server = started(options, QUICK)
    witness = protocol.opened(server.port)
    command = [sys.executable, "-c", CLIENT, str(pathlib.Path(__file__).resolve().parent), str(server.port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        session, password = client.stdout.readline().split()
        same(witness.exists("/of-the-stopped").error, 0, "the ephemeral")
        # As long as it runs it lives, however long that is.
        waiting.let_pass(3)
        same(witness.exists("/of-the-stopped").error, 0, "the ephemeral of a client that pings")
        client.send_signal(signal.SIGSTOP)
        try:
            waiting.until(lambda: witness.exists("/of-the-stopped").error == -101, 10, "the ephemeral of a stopped client goes")
        finally:
            client.send_signal(signal.SIGCONT)
        same(client.stdout.readline(), "lost\n", "what the client meets when it goes on")
        same(client.wait(10), 0, "the client's exit code")
    resumed = protocol.Connection(server.port)
    same(resumed.connect(session=int(session), password=bytes.fromhex(password)).id, 0, "the session that a resume finds")
    says(server, f"session 0x{int(session):x} expired")
    server.destroy()


def stopped_server(options):
    """R-006, R-716: what a stopped server did not hear is nobody's silence: after SIGCONT every session lives."""
    server = started(options, QUICK)
    clients = [protocol.opened(server.port, 1500) for _ in range(10)]
    for number, client in enumerate(clients):
        same(client.create(f"/mine{number}", b"", flags=1).error, 0, "create")
    server.process.send_signal(signal.SIGSTOP)
    waiting.let_pass(5)  # More than three timeouts.
    server.process.send_signal(signal.SIGCONT)
    for client in clients:
        same(client.ping().error, 0, "a ping after the server's pause")
    witness = protocol.opened(server.port)
    for number in range(len(clients)):
        same(witness.exists(f"/mine{number}").error, 0, "an ephemeral after the server's pause")
    same(figure(server, "stale_sessions_expired"), 0, "sessions expired")
    # Whoever is silent from now on expires as ever.
    waiting.until(lambda: witness.exists("/mine0").error == -101, 15, "a silent session expires")
    server.destroy()


def memory_budget(options):
    """S-206: the tree has a budget; beyond it what grows it is refused before it has a number, and the log tells."""
    server = started(options, {"treeMemoryLimitInMb": "16", "preAllocSize": "4096"})
    connection = protocol.opened(server.port)
    data = b"x" * 200_000
    errors = []
    while not errors or errors[-1] == 0:
        check(len(errors) < 200, "nothing is refused")
        errors.append(connection.create(f"/n{len(errors)}", data).error)
    same(errors[-1], -7, "the create beyond the budget")
    check(len(errors) > 60, f"only {len(errors)} creates")
    says(server, "(treeMemoryLimitInMb): what grows it is refused")
    same(figure(server, "tree_limit_bytes"), 16 << 20, "zk_tree_limit_bytes")
    check(14 << 20 < figure(server, "tree_live_bytes") <= 16 << 20, "zk_tree_live_bytes")
    check(figure(server, "writes_refused_for_memory") >= 1, "zk_writes_refused_for_memory")
    same(connection.get("/n0").error, 0, "a read")
    same(connection.set("/n0", data).error, 0, "a set of the same length")
    # A restart finds the tree as it was, and the budget with it; a newcomer may clean up.
    server.kill()
    server.start()
    connection = protocol.opened(server.port)
    same(connection.create("/more", data).error, -7, "a create after a restart")
    says(server, "(treeMemoryLimitInMb): what grows it is refused")
    for number in range(10):
        same(connection.delete(f"/n{number}").error, 0, "delete")
    same(connection.create("/more", data).error, 0, "a create where there is room again")
    says(server, "the tree has room again")
    server.destroy()
    return f"{len(errors) - 1} znodes of 200 kB in 16 MiB"


def unread_replies(options):
    """S-203: of what a client does not read one reply waits in memory, however much it asked for; others are served."""
    server = started(options, {"jute.maxbuffer": "1048575"})
    witness = protocol.opened(server.port)
    same(witness.create("/great", b"x" * 900_000).error, 0, "create")
    body = protocol.multi_body([(4, protocol.path_and_flag("/great", False))] * 8)
    before = resident(server)
    deaf = [protocol.opened(server.port) for _ in range(30)]
    most = 0
    for connection in deaf:
        for _ in range(4):
            connection.send(22, body)
        same(witness.get("/great").error, 0, "a read meanwhile")
        most = max(most, resident(server) - before)
    check(most < 300 << 20, f"{most >> 20} MiB more for clients that do not read")
    # Who reads in the end gets everything.
    for connection in deaf:
        for _ in range(4):
            same(connection.receive_reply(22, 60).error, 0, "a multiRead of 7 MB")
        connection.close()
    server.destroy()
    return f"860 MB asked for and not read, at most {most >> 20} MiB more"


def resident(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) * 1024


def main():
    options = servers.arguments(__doc__.splitlines()[0]).parse_args()
    if options.zookeeper:
        sys.exit("these are Quorate's own lines, settings and limits: there is nothing to prove on ZooKeeper")
    options.quorate = os.path.abspath(options.quorate)
    report = cases.Report(options.only)
    for case in (commands, close_lines, quota_lines, spellings, snapshot_that_does_not_open, reconfig, stopped_client, stopped_server, memory_budget, unread_replies):
        report.run(case.__name__.replace("_", " "), case, options)
    report.finish()


if __name__ == "__main__":
    main()
