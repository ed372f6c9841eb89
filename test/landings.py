"""Every earlier landing's data directory opens and holds what it held (docs/architecture.md, chapter 8).

A landing is landings/<name>.tar.gz, a data directory whose server was killed, beside <name>.json, what it must hold.
    python3 test/landings.py --make NAME     makes the two from the binary; done once for each landing that changes a format
"""

import base64
import json
import pathlib
import shutil
import subprocess
import tarfile
import tempfile

from harness import cases, protocol, servers, waiting

HERE = pathlib.Path(__file__).resolve().parent / "landings"
SETTINGS = {"preAllocSize": "1024", "snapCount": "60", "autopurge.snapRetainCount": "3"}
SUPER = ("digest", "super:secret")
TIMEOUT = 40000


def walk(connection, path="/"):
    """Every znode below `path` that tests may see: data, stat, ACL."""
    data, stat = connection.get(path).body
    acl, _ = connection.call(6, protocol.buffer(path)).body
    found = {path: {"data": None if data is None else base64.b64encode(data).decode(), "stat": list(stat), "acl": acl}}
    for child in sorted(connection.children(path).body[0]):
        found.update(walk(connection, path.rstrip("/") + "/" + child))
    return found


def as_super(port):
    connection = protocol.opened(port)
    connection.auth(*SUPER)
    return connection


def fill(server):
    """Something of everything, before and after a snapshot; the session that owns the ephemerals."""
    connection = protocol.opened(server.port, TIMEOUT)
    connection.auth("digest", "bob:pw")
    connection.create("/plain", b"value")
    connection.create("/null", None)
    connection.create("/empty", b"")
    connection.create("/secret", b"s", acl=((31, "auth", ""), (1, "ip", "127.0.0.0/8")))
    connection.create("/queue")
    connection.create("/zookeeper/quota/queue")
    connection.create("/zookeeper/quota/queue/zookeeper_limits", b"count=100,bytes=-1")
    connection.create("/zookeeper/quota/queue/zookeeper_stats", b"")
    for number in range(70):
        connection.create("/queue/item-", b"x" * number, flags=2)
    waiting.until(lambda: list(server.data.glob("snapshots/*.snapshot")), 20, "a snapshot is written")
    connection.create("/large", bytes(range(256)) * 40)
    connection.create("/mine", b"alive", flags=1)
    connection.call(19, protocol.create_body("/container", b"", flags=4))
    connection.call(21, protocol.create_ttl_body("/ttl", b"", protocol.OPEN_ACL, 5, 1 << 39))
    connection.set("/plain", b"changed")
    connection.call(7, protocol.set_acl_body("/plain", ((31, "world", "anyone"), (1, "digest", "bob:x"))))
    connection.delete("/queue/item-0000000003")
    connection.call(14, protocol.multi_body([(1, protocol.create_body("/multi", b"m")), (5, protocol.set_data_body("/multi", b"n"))]))
    return connection


def make(options, name):
    server = servers.tested(options, SETTINGS)
    server.start()
    owner = fill(server)
    reader = as_super(server.port)
    session = {"id": owner.session.id, "password": owner.session.password.hex()}
    expected = {"znodes": walk(reader), "session": session, "last_zxid": reader.ping().zxid}
    server.kill()
    HERE.mkdir(exist_ok=True)
    (HERE / f"{name}.json").write_text(json.dumps(expected, indent=1) + "\n")
    subprocess.run(["tar", "--sort=name", "--owner=0", "--group=0", "-C", str(server.data), "-czf", str(HERE / f"{name}.tar.gz"), "."], check=True)
    print(f"made {name}: {len(expected['znodes'])} znodes, {(HERE / f'{name}.tar.gz').stat().st_size} bytes")


def opens(options, name):
    expected = json.loads((HERE / f"{name}.json").read_text())
    directory = pathlib.Path(tempfile.mkdtemp(prefix="quorate-test-landing-"))
    try:
        with tarfile.open(HERE / f"{name}.tar.gz") as archive:
            archive.extractall(directory)
        server = servers.tested(options, SETTINGS, directory)
        server.start()
        connection = as_super(server.port)
        cases.check(connection.ping().zxid > expected["last_zxid"], "zxids went back")
        found = walk(connection)
        cases.same(sorted(found), sorted(expected["znodes"]), "paths")
        for path, znode in expected["znodes"].items():
            wanted = {**znode, "acl": [tuple(entry) for entry in znode["acl"]]}
            cases.same(found[path], wanted, path)
        session = expected["session"]
        resumed = protocol.opened(server.port, TIMEOUT, session=session["id"], password=bytes.fromhex(session["password"]))
        cases.same(resumed.session.id, session["id"], "the session resumed")
        cases.same(resumed.call(103, protocol.buffer("/")).body[0], ["/mine"], "its ephemerals")
        resumed.close_session()
        cases.same(connection.exists("/mine").error, -101, "the ephemeral after its session's end")
        server.stop()
        return f"{len(found)} znodes"
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def main():
    parser = servers.arguments(__doc__.splitlines()[0])
    parser.add_argument("--make", metavar="NAME", help="make the sample of this landing instead")
    options = parser.parse_args()
    if options.make:
        make(options, options.make)
        return
    report = cases.Report(options.only)
    for sample in sorted(HERE.glob("*.tar.gz")):
        name = sample.name.removesuffix(".tar.gz")
        report.run(f"a data directory of {name} opens", opens, options, name)
    report.finish()


if __name__ == "__main__":
    main()
