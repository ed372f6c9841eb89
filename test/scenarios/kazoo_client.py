"""kazoo: one transcript for each section; lines without zxids, times and ids."""

import socket
import threading

from kazoo import exceptions, security
from kazoo.client import KazooClient
from kazoo.protocol.states import KazooState
from kazoo.recipe.barrier import DoubleBarrier
from kazoo.recipe.party import Party, ShallowParty

from harness import waiting

SECONDS = 15


class Transcript:
    """The lines of one section, and clients that are closed at its end."""

    def __init__(self, server):
        self.server = server
        self.lines = []
        self.clients = []

    def client(self, chroot="", **options):
        client = KazooClient(hosts=f"127.0.0.1:{self.server.port}{chroot}", timeout=options.pop("timeout", 20.0), **options)
        client.start(SECONDS)
        self.clients.append(client)
        return client

    def say(self, *words):
        self.lines.append(" ".join(str(word) for word in words))

    def attempt(self, what, call, *arguments, **options):
        """Calls, and says the result or the exception's name."""
        try:
            result = call(*arguments, **options)
        except exceptions.KazooException as error:
            self.say(what, "->", type(error).__name__)
            return None
        self.say(what, "->", plain(result))
        return result

    def until(self, what, condition):
        waiting.until(condition, SECONDS, what)
        self.say(what)

    def close(self):
        for client in self.clients:
            client.stop()
            client.close()


def plain(value):
    """A result without what differs between two runs."""
    if hasattr(value, "czxid"):
        return (
            f"stat(version={value.version} cversion={value.cversion} aversion={value.aversion} length={value.dataLength} "
            f"children={value.numChildren} owned={value.ephemeralOwner != 0} changed={value.czxid != value.mzxid} "
            f"later={value.mtime >= value.ctime} children_changed={value.pzxid != value.czxid})"
        )
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return sorted(value)
    if isinstance(value, (list, tuple)):
        return "(" + ", ".join(str(plain(item)) for item in value) + ")"
    if isinstance(value, exceptions.KazooException):
        return type(value).__name__
    if isinstance(value, Exception):
        return type(value).__name__
    return repr(value)


def crud(t):
    z = t.client()
    t.attempt("create", z.create, "/k", b"one")
    t.attempt("create again", z.create, "/k", b"one")
    t.attempt("create below nothing", z.create, "/no/x", b"")
    t.attempt("create with parents", z.create, "/k/a/b/c", b"deep", makepath=True)
    t.attempt("create and stat", z.create, "/k/stat", b"12345", include_data=True)
    t.attempt("ensure_path", z.ensure_path, "/k/a/b/c/d")
    t.attempt("exists", z.exists, "/k")
    t.attempt("exists not", z.exists, "/none")
    t.attempt("get", z.get, "/k")
    t.attempt("get nothing", z.get, "/none")
    t.attempt("empty data", z.create, "/k/empty", b"")
    t.attempt("get empty", z.get, "/k/empty")
    t.attempt("set", z.set, "/k", b"two")
    t.attempt("set with the version", z.set, "/k", b"three", version=1)
    t.attempt("set with a bad version", z.set, "/k", b"four", version=1)
    t.attempt("set nothing", z.set, "/none", b"")
    t.attempt("children", z.get_children, "/k")
    t.attempt("children and stat", z.get_children, "/k", include_data=True)
    t.attempt("children of nothing", z.get_children, "/none")
    t.attempt("delete with children", z.delete, "/k")
    t.attempt("delete with a bad version", z.delete, "/k/stat", version=3)
    t.attempt("delete", z.delete, "/k/stat", version=0)
    t.attempt("delete recursively", z.delete, "/k/a", recursive=True)
    t.attempt("children", z.get_children, "/k")
    t.attempt("names beyond ASCII", z.create, "/k/\u00e9\u4e2d", "\u00e9".encode())
    t.attempt("get it", z.get, "/k/\u00e9\u4e2d")
    large = bytes(range(256)) * 3900
    t.attempt("large data", z.create, "/k/large", large)
    t.say("large data comes back", z.get("/k/large")[0] == large)
    t.attempt("sync", z.sync, "/k")
    t.attempt("protected", z.delete, "/zookeeper")
    t.attempt("root", z.get_children, "/")
    t.attempt("config", z.get, "/zookeeper/config")


def permissions(t):
    z, other = t.client(), t.client()
    mine = security.make_digest_acl("bob", "pw", all=True)
    t.attempt("create for bob", z.create, "/bob", b"secret", acl=[mine])
    t.attempt("unauthenticated get", z.get, "/bob")
    t.attempt("unauthenticated acls", z.get_acls, "/bob")
    t.attempt("add_auth", z.add_auth, "digest", "bob:pw")
    t.attempt("get", z.get, "/bob")
    acls, stat = z.get_acls("/bob")
    t.say("acls", sorted((acl.perms, acl.id.scheme, acl.id.id) for acl in acls), plain(stat))
    t.attempt("another's set", other.set, "/bob", b"x")
    t.attempt("another's wrong password", other.add_auth, "digest", "bob:wrong")
    t.attempt("another's get", other.get, "/bob")
    reading = security.make_acl("world", "anyone", read=True)
    t.attempt("set_acls with a bad version", z.set_acls, "/bob", [mine, reading], version=4)
    t.attempt("set_acls", z.set_acls, "/bob", [mine, reading], version=0)
    t.attempt("another's get", other.get, "/bob")
    masked, _ = other.get_acls("/bob")
    t.say("another's acls", sorted((acl.perms, acl.id.scheme, acl.id.id) for acl in masked))
    t.attempt("another's create below", other.create, "/bob/x", b"")
    t.attempt("create below", z.create, "/bob/x", b"", acl=[security.make_acl("auth", "", all=True)])
    expanded, _ = z.get_acls("/bob/x")
    t.say("expanded", sorted((acl.perms, acl.id.scheme, acl.id.id) for acl in expanded))
    t.attempt("another's delete below", other.delete, "/bob/x")
    t.attempt("an address", z.create, "/here", b"", acl=[security.make_acl("ip", "127.0.0.1", all=True)])
    t.attempt("get at the address", z.get, "/here")
    t.attempt("another address", z.create, "/there", b"", acl=[security.make_acl("ip", "10.1.2.3", all=True)])
    t.attempt("get at another address", z.get, "/there")
    t.attempt("unknown scheme", z.create, "/x", b"", acl=[security.make_acl("foo", "x", all=True)])
    t.attempt("auth expands", z.create, "/x", b"", acl=[security.make_acl("auth", "", all=True)])
    unknown = t.client(auth_data=[("digest", "eve:x")])
    t.attempt("auth at start", unknown.create, "/eve", b"", acl=[security.make_acl("auth", "", all=True)])
    boss = t.client(auth_data=[("digest", "super:secret")])
    t.attempt("the super user", boss.get, "/eve")
    t.attempt("the super user deletes", boss.delete, "/eve")


def watches(t):
    z, other = t.client(), t.client()
    seen = []
    watch = lambda event: seen.append((event.type, event.state, event.path))  # noqa: E731
    z.ensure_path("/w")
    z.exists("/w/x", watch=watch)
    other.create("/w/x", b"1")
    t.until("created", lambda: len(seen) == 1)
    z.get("/w/x", watch=watch)
    z.get_children("/w", watch=watch)
    other.set("/w/x", b"2")
    t.until("changed", lambda: len(seen) == 2)
    z.get("/w/x", watch=watch)
    other.delete("/w/x")
    t.until("deleted, and the parent's children", lambda: len(seen) == 4)
    for line in seen:
        t.say(line)
    data, children = [], []
    z.ensure_path("/w/data")
    watcher = z.DataWatch("/w/data", lambda value, stat, event: data.append((value, stat and stat.version, event and event.type)))
    t.until("first call", lambda: len(data) == 1)
    for value in (b"a", b"b", b"c"):
        before = len(data)
        other.set("/w/data", value)
        t.until("called", lambda: len(data) == before + 1)
    other.delete("/w/data")
    t.until("called for the end", lambda: len(data) == 5)
    other.create("/w/data", b"again")
    t.until("called for the return", lambda: len(data) == 6)
    for line in data:
        t.say(line)
    z.ChildrenWatch("/w", lambda names: children.append(sorted(names)))
    for name in ("b", "a"):
        before = len(children)
        other.create(f"/w/{name}", b"")
        t.until("called", lambda: len(children) == before + 1)
    for line in children:
        t.say(line)
    del watcher


def transactions(t):
    z = t.client()
    z.ensure_path("/t")
    good = z.transaction()
    good.create("/t/a", b"1")
    good.set_data("/t/a", b"22")
    good.check("/t/a", 1)
    good.create("/t/s-", b"", sequence=True)
    good.create("/t/e", b"", ephemeral=True)
    good.delete("/t/e")
    t.say("commit", plain(good.commit()))
    bad = z.transaction()
    bad.create("/t/b", b"")
    bad.check("/t/a", 9)
    bad.delete("/t/a")
    t.say("commit that fails", plain(bad.commit()))
    t.attempt("children", z.get_children, "/t", include_data=True)
    empty = z.transaction()
    t.say("empty commit", plain(empty.commit()))
    with z.transaction() as within:
        within.create("/t/within", b"")
    t.say("with", plain(within.commit) and z.exists("/t/within") is not None)


def ephemerals_and_sessions(t):
    z, watcher = t.client(), t.client()
    z.ensure_path("/s")
    z.create("/s/e", b"", ephemeral=True)
    t.say("owner", watcher.exists("/s/e").ephemeralOwner == z.client_id[0])
    t.attempt("below an ephemeral", z.create, "/s/e/x", b"")
    gone = threading.Event()
    watcher.exists("/s/e", watch=lambda event: gone.set())
    z.stop()
    t.until("gone with its session", gone.is_set)
    t.attempt("after it", watcher.exists, "/s/e")
    # A session lives on while its connection is lost, and resumes with its id and password.
    states = []
    one = t.client(timeout=10.0)
    one.add_listener(lambda state: states.append(state))
    one.create("/s/kept", b"", ephemeral=True)
    session = one.client_id
    one._connection._socket.shutdown(socket.SHUT_RDWR)
    t.until("suspended and connected again", lambda: KazooState.SUSPENDED in states and states[-1] == KazooState.CONNECTED)
    t.say("the same session", one.client_id == session)
    t.attempt("still there", watcher.exists, "/s/kept")
    # Another process takes the session over.
    two = t.client(client_id=session)
    t.say("taken over", two.client_id == session)
    t.attempt("still there", two.exists, "/s/kept")
    two.stop()
    t.attempt("closed with it", watcher.exists, "/s/kept")
    # A wrong password makes a new session.
    three = t.client(client_id=(session[0], b"wrong password!!"))
    t.say("a new session", three.client_id[0] != session[0])


def expiry(t):
    from harness import protocol

    z = t.client()
    z.ensure_path("/expiry")
    doomed = protocol.opened(t.server.port, 4000)
    doomed.create("/expiry/e", b"", flags=1)
    gone = threading.Event()
    t.attempt("there", z.exists, "/expiry/e", watch=lambda _: gone.set())
    doomed.close()
    waiting.let_pass(2)
    t.say("there before the timeout", not gone.is_set())
    t.until("gone after the timeout", gone.is_set)
    t.attempt("after it", z.exists, "/expiry/e")
    refused = protocol.opened(t.server.port, session=doomed.session.id, password=doomed.session.password)
    t.say("resume refused", refused.session.id, refused.session.timeout)


def sequences(t):
    z = t.client()
    z.ensure_path("/q")
    for _ in range(3):
        t.attempt("sequence", z.create, "/q/n-", b"", sequence=True)
    t.attempt("another prefix", z.create, "/q/m-", b"", sequence=True)
    t.attempt("plain", z.create, "/q/plain", b"")
    t.attempt("ephemeral sequence", z.create, "/q/n-", b"", sequence=True, ephemeral=True)
    t.attempt("delete", z.delete, "/q/n-0000000000")
    t.attempt("numbers are not reused", z.create, "/q/n-", b"", sequence=True)
    t.attempt("no prefix", z.create, "/q/", b"", sequence=True)
    t.attempt("all", z.get_children, "/q")


def chroot(t):
    t.client().ensure_path("/jail/cell")
    z = t.client(chroot="/jail")
    t.attempt("children of the root", z.get_children, "/")
    t.attempt("create", z.create, "/cell/x", b"in")
    t.attempt("get", z.get, "/cell/x")
    seen = []
    z.get("/cell/x", watch=lambda event: seen.append((event.type, event.path)))
    z.set("/cell/x", b"out")
    t.until("watched", lambda: seen)
    t.say(seen)
    t.attempt("missing root", t.client(chroot="/nowhere").create, "/x", b"")
    t.attempt("from outside", t.client().get, "/jail/cell/x")


def pipelining(t):
    z = t.client()
    z.ensure_path("/p")
    count = 2000
    creates = [z.create_async(f"/p/{number:05d}", str(number).encode()) for number in range(count)]
    gets = [z.get_async(f"/p/{number:05d}") for number in range(count)]
    sets = [z.set_async("/p", str(number).encode()) for number in range(100)]
    t.say("created", [result.get(timeout=60) for result in creates] == [f"/p/{number:05d}" for number in range(count)])
    t.say("read", all(result.get(timeout=60)[0] == str(number).encode() for number, result in enumerate(gets)))
    t.say("versions", [result.get(timeout=60).version for result in sets] == list(range(1, 101)))
    t.attempt("last", z.get, "/p")
    deletes = [z.delete_async(f"/p/{number:05d}") for number in range(count)]
    t.say("deleted", all(result.get(timeout=60) for result in deletes))
    t.attempt("parent", z.get, "/p")


def words(t):
    z = t.client()
    t.say("ruok", z.command(b"ruok"))
    t.say("isro", z.command(b"isro"))
    t.say("mode", next(line for line in z.command(b"srvr").splitlines() if line.startswith("Mode: ")))
    t.say("a version", len(z.server_version()) >= 2 and z.server_version() > (3, 4))
    for word in ("srvr", "mntr", "conf", "stat", "cons", "dump", "wchs", "wchc", "wchp", "dirs", "crst", "srst", "envi"):
        t.say(word, "answers", bool(z.command(word.encode())))
    mntr = dict(line.split("\t", 1) for line in z.command(b"mntr").splitlines() if "\t" in line)
    wanted = (
        "zk_version zk_server_state zk_avg_latency zk_max_latency zk_min_latency zk_packets_received zk_packets_sent "
        "zk_num_alive_connections zk_outstanding_requests zk_znode_count zk_watch_count zk_ephemerals_count "
        "zk_approximate_data_size zk_open_file_descriptor_count zk_max_file_descriptor_count"
    )
    t.say("mntr lacks", [key for key in wanted.split() if key not in mntr])
    conf = dict(line.split("=", 1) for line in z.command(b"conf").splitlines() if "=" in line)
    t.say("conf", [(key, conf.get(key)) for key in ("tickTime", "maxClientCnxns", "minSessionTimeout", "maxSessionTimeout", "serverId")])
    t.say("conf port", conf.get("clientPort") == str(t.server.port))


def locks(t):
    one, two = t.client(), t.client()
    first, second = one.Lock("/lock", "one"), two.Lock("/lock", "two")
    t.say("acquired", first.acquire(timeout=SECONDS))
    t.say("not twice", second.acquire(blocking=False))
    t.say("contenders", first.contenders())
    waiter = threading.Thread(target=lambda: t.say("acquired by the second", second.acquire(timeout=SECONDS)))
    waiter.start()
    t.until("the second waits", lambda: len(one.get_children("/lock")) == 2)
    t.say("contenders", first.contenders())
    t.say("released", first.release())
    waiter.join()
    # A holder whose session ends lets go.
    third = one.Lock("/lock", "one again")
    waiter = threading.Thread(target=lambda: t.say("acquired by the third", third.acquire(timeout=SECONDS)))
    waiter.start()
    t.until("the third waits", lambda: len(one.get_children("/lock")) == 2)
    two.stop()
    waiter.join()
    third.release()
    semaphores = [t.client().Semaphore("/semaphore", str(number), max_leases=2) for number in range(3)]
    t.say("leases", [semaphore.acquire(blocking=number < 2, timeout=SECONDS if number < 2 else None) for number, semaphore in enumerate(semaphores)])
    t.say("holders", sorted(semaphores[0].lease_holders()))
    semaphores[0].release()
    t.say("third lease", semaphores[2].acquire(timeout=SECONDS))
    reader, writer = one.ReadLock("/shared", "reader"), t.client().WriteLock("/shared", "writer")
    t.say("read lock", reader.acquire(timeout=SECONDS))
    t.say("write lock waits", writer.acquire(blocking=False))
    reader.release()
    t.say("write lock", writer.acquire(timeout=SECONDS))


def elections(t):
    clients = [t.client() for _ in range(3)]
    led, may_end = [], [threading.Event() for _ in clients]

    def lead(number):
        led.append(number)
        may_end[number].wait(SECONDS)

    threads = []
    for number, client in enumerate(clients):
        thread = threading.Thread(target=client.Election("/election", f"candidate {number}").run, args=(lead, number))
        thread.start()
        threads.append(thread)
        t.until(f"{number + 1} candidates", lambda: clients[0].exists("/election") and len(clients[0].get_children("/election")) == number + 1)
    t.until("one leads", lambda: led == [0])
    t.say(clients[1].Election("/election").contenders())
    for number in range(3):
        may_end[number].set()
        t.until("the next leads", lambda: len(led) == min(3, number + 2))
    for thread in threads:
        thread.join(SECONDS)
    t.say(led)


def recipes(t):
    one, two = t.client(), t.client()
    barrier = one.Barrier("/barrier")
    barrier.create()
    t.say("barrier stands", two.Barrier("/barrier").wait(timeout=0.2))
    passed = []
    waiter = threading.Thread(target=lambda: passed.append(two.Barrier("/barrier").wait(timeout=SECONDS)))
    waiter.start()
    t.say("barrier removed", barrier.remove())
    waiter.join()
    t.say("passed", passed)
    entered = []
    doubles = [DoubleBarrier(client, "/double", 2, f"part {number}") for number, client in enumerate((one, two))]

    def both(double):
        double.enter()
        entered.append(double.participating)
        double.leave()

    threads = [threading.Thread(target=both, args=(double,)) for double in doubles]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    t.say("double barrier", entered)
    queue = one.Queue("/queue")
    for number, priority in ((1, 100), (2, 50), (3, 100)):
        queue.put(str(number).encode(), priority)
    t.say("queue", len(queue), [two.Queue("/queue").get() for _ in range(4)])
    locking = one.LockingQueue("/locking")
    locking.put_all([b"a", b"b"])
    t.say("locking queue", locking.get(timeout=SECONDS), locking.consume(), locking.get(timeout=SECONDS), locking.consume())
    counter = one.Counter("/counter")
    for _ in range(5):
        counter += 2
    other = two.Counter("/counter")
    other -= 3
    t.say("counter", counter.value)
    parties = [Party(one, "/party", "one"), Party(two, "/party", "two")]
    for party in parties:
        party.join()
    t.say("party", sorted(parties[0]), len(parties[1]))
    shallow = ShallowParty(one, "/shallow", "one")
    shallow.join()
    t.say("shallow party", list(shallow))
    parties[1].leave()
    t.say("party", sorted(parties[0]))


SECTIONS = (
    crud, permissions, watches, transactions, ephemerals_and_sessions, expiry, sequences, chroot, pipelining, words, locks,
    elections, recipes,
)  # fmt: skip


def transcript(server, section):
    t = Transcript(server)
    try:
        section(t)
    finally:
        t.close()
    return t.lines
