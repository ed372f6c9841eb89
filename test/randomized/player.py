"""Plays a script's steps on one server and writes down what each connection sees."""

import struct

from harness import protocol, waiting
from harness.protocol import OPCODES

SECONDS = 20
NUMBER_OF = dict(OPCODES)


def with_root(value, root):
    return value.replace("@", root) if isinstance(value, str) else value


def record(request, root, zxid_of=None):
    """The request record's bytes, without header."""
    op = request["op"]
    path = with_root(request.get("path"), root)
    if op in ("create", "create2", "createContainer", "createTTL"):
        body = protocol.create_body(path, request["data"], request["acl"], request["flags"])
        if op == "createTTL":
            body += protocol.long(request["ttl"])
    elif op in ("delete", "check"):
        body = protocol.path_and_number(path, request["version"])
    elif op in ("exists", "getData", "getChildren", "getChildren2"):
        body = protocol.path_and_flag(path, request["watch"])
    elif op == "setData":
        body = protocol.set_data_body(path, request["data"], request["version"])
    elif op == "setACL":
        body = protocol.set_acl_body(path, request["acl"], request["version"])
    elif op in ("getACL", "sync", "getEphemerals", "getAllChildrenNumber", "deleteContainer"):
        body = protocol.buffer(path)
    elif op in ("multi", "multiRead"):
        body = protocol.multi_body([(NUMBER_OF[o["op"]], record(o, root)) for o in request["of"]])
    elif op == "auth":
        body = protocol.integer(0) + protocol.buffer(request["scheme"]) + protocol.buffer(request["data"])
    elif op == "sasl":
        body = protocol.buffer(request["token"])
    elif op == "addWatch":
        body = protocol.path_and_number(path, request["mode"])
    elif op in ("removeWatches", "checkWatches"):
        body = protocol.path_and_number(path, request["type"])
    elif op in ("setWatches", "setWatches2"):
        lists = [None if paths is None else [with_root(p, root) for p in paths] for paths in request["lists"]]
        body = protocol.set_watches_body(zxid_of(request["since"]), *lists)
    elif op == "reconfig":
        body = protocol.buffer("server.9=127.0.0.1:2888:3888;2181") + protocol.buffer(None) * 2 + protocol.long(-1)
    else:
        body = b""
    if "length" in request and len(body) >= 4:
        body = protocol.integer(request["length"]) + body[4:]
    if "cut" in request:
        body = body[: min(request["cut"], len(body))]
    return body + b"\x5a" * request.get("extra", 0)


class Link:
    """One connection of the script."""

    def __init__(self, connection, name):
        self.connection = connection
        self.name = name
        self.xid = 0


class Player:
    def __init__(self, server, root):
        self.server = server
        self.root = root
        self.links = {}
        self.sessions = {}  # name: Session
        self.closed = set()  # names of sessions that were closed
        self.last_zxid = 0
        self.zxids = [0]  # header zxids of replies, for setWatches

    # A step's outcome: {connection: [item, ...]}; an item is (kind, value).

    def play(self, step):
        seen = {}
        try:
            getattr(self, step["do"])(step, seen)
        except (OSError, protocol.Closed) as error:
            seen.setdefault(step["c"], []).append(("broken", str(error)))
        self.barrier(seen)
        return seen

    def open(self, step, seen):
        c = step["c"]
        if c in self.links or ("resume" in step and step["resume"] not in self.sessions):
            return
        name = step.get("resume", step.get("name"))
        owner = next((o for o, link in self.links.items() if link.name == name), None)
        if owner is not None and "password" in step:
            return  # A real server closes the owner's connection, ours must not: a claim in deviations.py.
        connection = protocol.Connection(self.server.port, SECONDS)
        old = self.sessions.get(name) if "resume" in step else None
        password = (b"wrong password!!" if "password" in step else old.password) if old else b"\0" * 16
        flag = step.get("flag", False)
        last_zxid = self.last_zxid + (1 << 40) if step.get("ahead") else 0
        connection.send_raw(
            protocol.frame(protocol.connect_request(step["timeout"], old.id if old else 0, password, last_zxid, flag))
        )
        items = seen.setdefault(c, [])
        try:
            session = protocol.Session(connection.receive())
        except protocol.Closed:
            items.append(("closed", None))
            connection.close()
            return
        except (protocol.Malformed, protocol.Timeout) as error:
            items.append(("wrong", str(error)))
            connection.close()
            return
        items.append(("session", (session, name)))
        if session.id == 0:
            self.until_closed(connection, items, [])
            return
        connection.session = session
        self.sessions[name] = session
        self.links[c] = Link(connection, name)
        if owner is not None:
            self.until_closed(self.links.pop(owner).connection, seen.setdefault(owner, []), [])

    def drop(self, step, seen):
        link = self.links.pop(step["c"], None)
        if link is None:
            return
        link.connection.close()
        # The server notices a little later; what other connections may ask about watches depends on it.
        sid = f"sid=0x{link.connection.session.id & (1 << 64) - 1:x},".encode()
        try:
            waiting.until(lambda: sid not in self.server.four_letter_word("cons"), 5, "the server forgets a connection")
        except waiting.Deadline as error:
            seen.setdefault(step["c"], []).append(("wrong", str(error)))

    def send(self, step, seen):
        link = self.links.get(step["c"])
        if link is None:
            return
        data, expected = b"", []
        for request in step["requests"]:
            more, waits_for = self.frame(link, request)
            data += more
            expected.append((request, waits_for))
        link.connection.send_raw(data)
        items = seen.setdefault(step["c"], [])
        for number, (request, opcode) in enumerate(expected):
            if not self.receive(link, items, number, request, opcode):
                link.connection.close()
                del self.links[step["c"]]
                return
            if request["op"] == "closeSession":
                self.closed.add(link.name)

    def frame(self, link, request):
        """The bytes, and the opcode by which the reply is read."""
        op = request["op"]
        if op == "header":
            return protocol.frame(b"\0" * request["size"]), None
        if op == "length":
            return protocol.integer(request["length"]), None
        link.xid += 1
        xid = request.get("xid")
        xid = link.xid if xid is None else xid
        if op == "unknown":
            return protocol.request(xid, request["number"]), request["number"]
        if op == "connectAgain":
            return protocol.frame(protocol.connect_request(30000)), 0
        if op == "ping":
            xid = protocol.PING_XID
        return protocol.request(xid, NUMBER_OF[op], record(request, self.root, self.zxid_of)), NUMBER_OF[op]

    def zxid_of(self, since):
        if since == "zero":
            return 0
        return self.zxids[-1] if since == "now" else self.zxids[len(self.zxids) // 2]

    def receive(self, link, items, number, request, opcode):
        """Takes frames up to the reply; false when the connection ended."""
        while True:
            try:
                payload = link.connection.receive()
            except protocol.Closed:
                items.append(("closed", None))
                return False
            except protocol.Timeout:
                items.append(("silent", None))
                return False
            try:
                if protocol.is_event(payload):
                    items.append(("event", protocol.Event(payload)))
                    continue
                reply = protocol.Reply(payload, opcode)
            except (protocol.Malformed, UnicodeDecodeError, struct.error) as error:
                items.append(("wrong", f"{error} in reply to {request}"))
                return False
            if reply.zxid > 0:
                self.zxids.append(reply.zxid)
                self.last_zxid = max(self.last_zxid, reply.zxid)
            items.append(("reply", (number, reply)))
            if closes(request, reply):
                self.until_closed(link.connection, items, [])
                return False
            return True

    def until_closed(self, connection, items, _):
        try:
            while True:
                payload = connection.receive(5)
                items.append(("event", protocol.Event(payload)) if protocol.is_event(payload) else ("extra", payload.hex()))
        except protocol.Closed:
            items.append(("closed", None))
        except (protocol.Timeout, protocol.Malformed) as error:
            items.append(("open", str(error)))
        connection.close()

    def barrier(self, seen):
        """A ping on every connection: whatever the step caused arrives before its answer (protocol 2.4)."""
        for c, link in list(self.links.items()):
            try:
                link.connection.send_raw(protocol.request(protocol.PING_XID, OPCODES["ping"]))
            except protocol.Closed:
                pass
        for c, link in list(self.links.items()):
            items = seen.setdefault(c, [])
            if not self.receive(link, items, -1, {"op": "ping"}, OPCODES["ping"]):
                link.connection.close()
                del self.links[c]

    # The end of a run: every session closed, the tree read and cleaned away.

    def finish(self):
        """Closes what is open, returns the run's trees as the super user sees them, and removes them."""
        for link in self.links.values():
            link.connection.close()
        self.links = {}
        for name, session in self.sessions.items():
            if name in self.closed:
                continue
            connection = protocol.Connection(self.server.port, SECONDS)
            if connection.connect(30000, session.id, session.password).id:
                connection.close_session()
            connection.close()
        boss = protocol.opened(self.server.port)
        boss.auth("digest", "super:secret")
        dump = []
        for top in (self.root, "/zookeeper/quota" + self.root, "/zookeeper" + self.root):
            self.dump(boss, top, dump)
        boss.close_session()
        return dump

    def dump(self, boss, path, into):
        children = boss.call(OPCODES["getChildren2"], protocol.path_and_flag(path, False))
        if children.error:
            return
        data, acl = boss.get(path), boss.call(OPCODES["getACL"], protocol.buffer(path))
        for reply in (children, data, acl):
            into.append(("reply", (path, reply)))
        for name in sorted(children.body[0]):
            self.dump(boss, path.rstrip("/") + "/" + name, into)
        if boss.delete(path).error:
            into.append(("wrong", f"{path} could not be removed"))


def closes(request, reply):
    if request["op"] in ("closeSession", "unknown", "connectAgain"):
        return True
    return request["op"] == "auth" and reply.error == -115
