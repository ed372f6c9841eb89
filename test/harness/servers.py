"""Starts and stops servers of both kinds with the same configuration, each in a directory of its own under TMPDIR.

Only processes that were started here are ever ended, by their handle. Ports are free ones on the loopback interface.
"""

import argparse
import atexit
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

from . import protocol, waiting

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# Holds for super:secret (protocol 16: the golden vectors' server).
SUPER_DIGEST = "super:lK75jTNcA+U9vtVEw5vB51mj/w4="
DEFAULTS = {
    "tickTime": "2000",
    "clientPortAddress": "127.0.0.1",
    "maxClientCnxns": "0",
    "admin.enableServer": "false",
    "extendedTypesEnabled": "true",
    "DigestAuthenticationProvider.superDigest": SUPER_DIGEST,
    "4lw.commands.whitelist": "*",
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


_started = []


@atexit.register
def _end_all():
    for server in _started:
        if server.is_running():
            server.kill()
    for server in _started:
        server.destroy()


def _ended_by(number, _frame):
    signal.signal(number, signal.SIG_IGN)  # A second one must not interrupt the cleaning up.
    sys.exit(128 + number)  # So that atexit runs and no server is left behind.


class Server:
    kind = "?"

    def __init__(self, settings=None, directory=None, keep=False):
        """`settings` are zoo.cfg lines over DEFAULTS; `directory` is where the data lies, made if it is not given."""
        self.home = pathlib.Path(tempfile.mkdtemp(prefix=f"quorate-test-{self.kind}-"))
        self.data = pathlib.Path(directory) if directory else self.home / "data"
        self.data.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.settings = {**DEFAULTS, "clientPort": str(self.port), "dataDir": str(self.data), **(settings or {})}
        self.keep = keep
        self.process = None
        self.log_path = self.home / "server.log"
        self.config_path = self.home / "zoo.cfg"
        if not _started:
            signal.signal(signal.SIGTERM, _ended_by)
        _started.append(self)

    def command(self):
        raise NotImplementedError

    def launch(self):
        """Starts the process without waiting for it to serve."""
        self.config_path.write_text("".join(f"{key}={value}\n" for key, value in self.settings.items()))
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.home, start_new_session=True
            )
        return self

    def start(self, seconds=60):
        self.launch()
        self.wait_until_serving(seconds)
        return self

    def wait_until_serving(self, seconds=60):
        def serving():
            code = self.process.poll()
            if code is not None:
                raise waiting.Deadline(f"the {self.kind} server ended with {code}:\n{self.log_tail()}")
            return self.answers_handshakes()

        waiting.until(serving, seconds, f"{self.kind} serves on port {self.port}")

    def answers_handshakes(self):
        """Asks for a session that cannot exist: the refusal costs no zxid (protocol 1.5, step 9c)."""
        try:
            connection = protocol.Connection(self.port, 5)
            try:
                return connection.connect(session=1).id == 0
            finally:
                connection.close()
        except (OSError, protocol.Closed, protocol.Timeout):
            return False

    def four_letter_word(self, word, quiet=False, seconds=5):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
                connection.sendall(word.encode())
                return b"".join(iter(lambda: connection.recv(65536), b""))
        except OSError:
            if quiet:
                return b""
            raise

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """kill -9, and waits for the end."""
        self.process.kill()
        return self.process.wait(30)

    def stop(self, seconds=30):
        """SIGTERM, and the exit code."""
        self.process.terminate()
        return self.process.wait(seconds)

    def destroy(self):
        if self.is_running():
            self.kill()
        if not self.keep:
            shutil.rmtree(self.home, ignore_errors=True)

    def log_tail(self, lines=30):
        if not self.log_path.exists():
            return ""
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])


class Quorate(Server):
    kind = "quorate"

    def __init__(self, binary, settings=None, directory=None, keep=False):
        super().__init__(settings, directory, keep)
        self.binary = os.path.abspath(binary)  # The server runs in a directory of its own.

    def command(self):
        return [str(self.binary), "serve", "--config", str(self.config_path)]


class ZooKeeper(Server):
    """Debian's ZooKeeper 3.8.0 (with the watch-ACL fix). It is the oracle, so its own durability may be off."""

    kind = "zookeeper"
    JAR = "/usr/share/java/zookeeper.jar"

    def __init__(self, settings=None, directory=None, keep=False, durable=False):
        super().__init__(dict({} if durable else {"forceSync": "no"}, **(settings or {})), directory, keep)

    def command(self):
        # What the file cannot set, because its property has no prefix (operations 1.1).
        properties = [f"-D{key}={value}" for key, value in self.settings.items() if key.startswith(("znode.", "jute."))]
        log4j = self.home / "log4j.properties"
        log4j.write_text(
            "log4j.rootLogger=WARN, A\nlog4j.appender.A=org.apache.log4j.ConsoleAppender\n"
            "log4j.appender.A.layout=org.apache.log4j.PatternLayout\nlog4j.appender.A.layout.ConversionPattern=%d %p %m%n\n"
        )
        return [
            "java", "-Xmx768m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
            f"-Dlog4j.configuration=file:{log4j}", "-Dzookeeper.jmx.log4j.disable=true", *properties,
            "-cp", f"{self.home}:{self.JAR}", "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(self.config_path),
        ]  # fmt: skip


def arguments(description):
    """The arguments that every test takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--quorate", metavar="BIN", default=os.environ.get("QUORATE_BIN", str(ROOT / "build/release/quorate")),
        help="the binary to test (default: $QUORATE_BIN, or build/release/quorate)",
    )  # fmt: skip
    parser.add_argument("--zookeeper", action="store_true", help="test Debian's ZooKeeper in Quorate's place (proves the test)")
    parser.add_argument("--only", metavar="TEXT", help="only cases whose name contains TEXT")
    parser.add_argument("--keep", action="store_true", help="keep the servers' directories and say where they are")
    return parser


def tested(options, settings=None, directory=None):
    """The server under test, not started."""
    if options.zookeeper:
        server = ZooKeeper(settings, directory, options.keep, durable=True)
    else:
        if not os.access(options.quorate, os.X_OK):
            sys.exit(f"no such binary: {options.quorate} (give it with --quorate)")
        server = Quorate(options.quorate, settings, directory, options.keep)
    if options.keep:
        print(f"{server.kind}: {server.home}", flush=True)
    return server
