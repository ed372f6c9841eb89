"""A C program on libzookeeper-mt, compiled here."""

import pathlib
import shutil
import subprocess
import tempfile

from harness.cases import check

SOURCE = pathlib.Path(__file__).parent / "client.c"


def available():
    return bool(shutil.which("cc")) and pathlib.Path("/usr/include/zookeeper/zookeeper.h").exists()


def transcript(server):
    with tempfile.TemporaryDirectory(prefix="quorate-test-c-") as home:
        binary = f"{home}/client"
        subprocess.run(
            ["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-DTHREADED", "-o", binary, str(SOURCE), "-lzookeeper_mt"], check=True
        )
        host = f"127.0.0.1:{server.port}"
        lines = run([binary, host, "first"])
        check(lines and lines[-1].startswith("id "), f"the C program ended early: {lines[-3:]}")
        _, session, password = lines.pop().split()
        return lines + run([binary, host, "resume", session, password])


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=90)
    lines = done.stdout.decode().splitlines()
    check(done.returncode == 0, f"the C program ended with {done.returncode}: {lines[-5:]}")
    return lines
