"""zkCli.sh, fed with a script of commands; what it prints is compared without zxids, times and session ids.

Watch events are printed by another thread of the shell, so they are compared on their own, in their order.
"""

import os
import re
import shutil
import subprocess

from harness.cases import check

SHELL = "/usr/share/zookeeper/bin/zkCli.sh"

SCRIPT = """\
create /z one
create /z again
create /none/x
create /z/a/
create -s /z/s- v
create -s /z/s- v
create -e /z/e v
create /z/e/x
create -s -e /z/se- v
create -c /z/box
create -c -e /z/wrong
create -t 600000 /z/ttl v
create -s -t 600000 /z/ttl- v
create -t 0 /z/ttl0 v
create /z/empty ""
create /z/null
get /z
get -s /z
get /z/null
get -s /z/none
stat /z
stat /none
ls /z
ls -s /z
ls -R /z
ls /none
set /z two
set -s /z three
set -v 7 /z four
set -s -v 2 /z five
set /none x
getAcl /z
getAcl -s /z
setAcl /z world:anyone:cdrwa
setAcl -v 5 /z world:anyone:cdrwa
setAcl -s -v 1 /z world:anyone:cdrwa,ip:127.0.0.1:r
setAcl /z foo:x:r
whoami
addauth digest bob:pw
whoami
create /z/mine secret auth::cdrwa
getAcl /z/mine
create /z/closed secret digest:eve:hhhh:cdrwa
get /z/closed
set /z/closed x
getAcl /z/closed
setAcl /z/closed world:anyone:r
addauth digest super:secret
get /z/closed
setAcl -R /z/s-0000000000 world:anyone:cdrwa
setquota -n 20 /z
setquota -b 1000 /z
setquota -N 30 /z
setquota -B 2000 /z
listquota /z
create /z/counted 12345
listquota /z
setquota -n 3 /z/mine
delquota -b /z
listquota /z
delquota /z
listquota /z
ls /zookeeper/quota
getEphemerals
getEphemerals /z/e
getAllChildrenNumber /z
getAllChildrenNumber /none
sync /z
sync /none
config
config -s
reconfig -remove 3
addWatch /z
addWatch -m PERSISTENT /z/mine
addWatch -m WRONG /z
set /z/mine seen
create /z/mine/below v
get -w /z/empty
set /z/empty x
ls -w /z/null
create /z/null/x v
create /z/later v
stat -w /z/later
delete /z/later
removewatches /z -a
removewatches /z -a
removewatches /z/mine -a
set /z/mine unseen
delete /z
delete -v 9 /z/null/x
delete /z/null/x
delete /none
delete /zookeeper
deleteall /z/mine
create /z/deep v
create /z/deep/er v
create /z/deep/er/est v
deleteall /z/deep
deleteall /none
ls /z
ls
history
nosuch
printwatches off
deleteall /z
ls /zookeeper
close
ls /
quit
"""


def available():
    return os.access(SHELL, os.X_OK) and bool(shutil.which("java"))


def transcript(server):
    done = subprocess.run(
        [SHELL, "-server", f"127.0.0.1:{server.port}"], input=SCRIPT.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=120, env=dict(os.environ, JVMFLAGS="-XX:TieredStopAtLevel=1 -Xmx256m"),
    )  # fmt: skip
    text = done.stdout.decode()
    check("Welcome to ZooKeeper!" in text, f"zkCli.sh did not start: {text[:500]}")
    text = text.replace(f"127.0.0.1:{server.port}", "SERVER")
    events = re.findall(r"^WatchedEvent .*$", text, re.M)  # Their lines may stand between those of a command.
    text = re.sub(r"^(WATCHER::|WatchedEvent .*)$", "", text, flags=re.M)
    zxids = sorted({int(value, 16) for value in re.findall(r"[cmp]Zxid = (0x[0-9a-f]+)", text)})
    text = re.sub(r"([cmp]Zxid) = (0x[0-9a-f]+)", lambda m: f"{m[1]} = number {zxids.index(int(m[2], 16))}", text)
    text = re.sub(r"([cm]time) = .*", r"\1 = a time", text)
    text = re.sub(r"(ephemeralOwner) = 0x[0-9a-f]{2,}", r"\1 = a session", text)
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("SLF4J")]
    one_shot = single_commands(server)
    return sort_credentials(lines) + ["-- events", *events, "-- single commands", *one_shot]


def sort_credentials(lines):
    """whoAmI answers in any order (protocol 3.20)."""
    result, run = [], []
    for line in [*lines, ""]:
        if re.match(r"(ip|digest|super): ", line):
            run.append(line)
        else:
            result += [*sorted(run), line]
            run = []
    return result[:-1]


def single_commands(server):
    """A command on the command line has an exit status (operations 5.1)."""
    lines = []
    for words in (["create", "/single", "x"], ["get", "/none"]):
        done = subprocess.run(
            [SHELL, "-server", f"127.0.0.1:{server.port}", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=60,
        )  # fmt: skip
        said = [line for line in done.stdout.decode().splitlines() if "/single" in line or "Node does not" in line]
        lines.append(f"{' '.join(words)}: exit {done.returncode}, {said}")
    return lines
