"""Starts and ends the two systems that are compared, with the same durability, on free loopback ports."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

import probe

ZOOKEEPER_JAR = pathlib.Path("/usr/share/java/zookeeper.jar")
START_SECONDS_MAX = 300
STOP_SECONDS_MAX = 60


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def install_zookeeper():
    if ZOOKEEPER_JAR.is_file():
        return
    print("installing Debian's zookeeper (apt-get install zookeeper)", flush=True)
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    # The package alone: its daemon is another one (zookeeperd) and is not wanted.
    subprocess.run(["apt-get", "update", "-qq"], check=False, env=environment)
    subprocess.run(
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "zookeeper", "default-jre-headless"],
        check=True,
        env=environment,
    )


class System:
    """One server of one system on a directory of its own. It is ended by its process id, never by name."""

    name = "?"

    def __init__(self, folder):
        self.folder = pathlib.Path(folder) / self.name
        self.port = free_port()
        self.process = None
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "data").mkdir(parents=True)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self):
        return self.process.pid

    def write_config(self, snap_count):
        # Nothing here touches durability: both flush every write before they acknowledge it, as they do by default.
        lines = {
            "tickTime": 2000,
            "dataDir": self.folder / "data",
            "clientPort": self.port,
            "clientPortAddress": "127.0.0.1",
            "maxClientCnxns": 0,
            "admin.enableServer": "false",
            "snapCount": snap_count,
        }
        config = self.folder / "zoo.cfg"
        config.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
        return config

    def start(self, snap_count=100_000, wait=True):
        command = self.command(self.write_config(snap_count))
        log = open(self.folder / "server.log", "ab")
        self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder)
        log.close()
        if wait:
            self.wait_until(lambda: probe.answers(self.port), "answer")

    def wait_until(self, claim, what):
        deadline = time.monotonic() + START_SECONDS_MAX
        while not claim():
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}: see {self.folder}/server.log")
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} did not {what} within {START_SECONDS_MAX} seconds")
            time.sleep(0.002)

    def stop(self, how=signal.SIGTERM):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def kill(self):
        self.stop(signal.SIGKILL)

    def resident_bytes(self):
        pages = int(pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE")

    def settle_memory(self):
        """Gives back what is only waiting to be collected, where the system has such a thing."""

    def snapshot_files(self):
        """(path, size, time of the last write) of every file that belongs to a snapshot."""
        found = []
        for folder, _, names in os.walk(self.folder / "data"):
            for name in names:
                if "snap" in name:
                    path = os.path.join(folder, name)
                    try:
                        status = os.stat(path)
                    except FileNotFoundError:
                        continue
                    found.append((path, status.st_size, status.st_mtime))
        return found


class ZooKeeper(System):
    name = "ZooKeeper"

    def __init__(self, folder, heap="4g"):
        super().__init__(folder)
        self.heap = heap

    def command(self, config):
        return [
            "java",
            f"-Xmx{self.heap}",
            "-cp",
            str(ZOOKEEPER_JAR),
            "org.apache.zookeeper.server.ZooKeeperServerMain",
            str(config),
        ]

    def settle_memory(self):
        tool = shutil.which("jcmd")
        if tool:
            subprocess.run([tool, str(self.pid), "GC.run"], check=False, capture_output=True, timeout=120)
            time.sleep(2)


class Quorate(System):
    name = "Quorate"

    def __init__(self, folder, binary):
        super().__init__(folder)
        self.binary = binary

    def command(self, config):
        return [str(self.binary), "serve", "--config", str(config)]
