"""The client protocol over raw sockets (protocol 1 to 3): encoders, decoders, and a connection of frames."""

import socket
import struct
import time

OPEN_ACL = ((31, "world", "anyone"),)
READ, WRITE, CREATE, DELETE, ADMIN, ALL = 1, 2, 4, 8, 16, 31

# Opcodes by name (protocol 3.0).
OPCODES = {
    "create": 1, "delete": 2, "exists": 3, "getData": 4, "setData": 5, "getACL": 6, "setACL": 7, "getChildren": 8,
    "sync": 9, "ping": 11, "getChildren2": 12, "check": 13, "multi": 14, "create2": 15, "reconfig": 16,
    "checkWatches": 17, "removeWatches": 18, "createContainer": 19, "deleteContainer": 20, "createTTL": 21,
    "multiRead": 22, "auth": 100, "setWatches": 101, "sasl": 102, "getEphemerals": 103, "getAllChildrenNumber": 104,
    "setWatches2": 105, "addWatch": 106, "whoAmI": 107, "createSession": -10, "closeSession": -11,
}  # fmt: skip
NAMES = {number: name for name, number in OPCODES.items()}

PING_XID, AUTH_XID, EVENT_XID, SET_WATCHES_XID = -2, -4, -1, -8
EVENT_NAMES = {1: "created", 2: "deleted", 3: "changed", 4: "children"}


class Closed(Exception):
    """The server closed the connection."""


class Timeout(Exception):
    """The frame did not come in time."""


class Malformed(Exception):
    """A reply that does not decode, or has bytes left over."""


# -- Encoding ---------------------------------------------------------------------------------------------------------


def integer(value):
    return struct.pack(">i", value)


def long(value):
    return struct.pack(">q", value)


def boolean(value):
    return b"\x01" if value else b"\x00"


def buffer(value):
    """A string or bytes; None is the null buffer."""
    if value is None:
        return b"\xff\xff\xff\xff"
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogatepass")
    return struct.pack(">i", len(value)) + value


def vector(values, encode):
    if values is None:
        return b"\xff\xff\xff\xff"
    return struct.pack(">i", len(values)) + b"".join(encode(value) for value in values)


def acl_list(entries):
    return vector(entries, lambda entry: integer(entry[0]) + buffer(entry[1]) + buffer(entry[2]))


def connect_request(timeout, session=0, password=b"\0" * 16, last_zxid=0, read_only=False):
    """`read_only` None is the old form without the flag (protocol 1.4)."""
    body = integer(0) + long(last_zxid) + integer(timeout) + long(session) + buffer(password)
    return body if read_only is None else body + boolean(read_only)


def create_body(path, data=b"", acl=OPEN_ACL, flags=0):
    return buffer(path) + buffer(data) + acl_list(acl) + integer(flags)


def create_ttl_body(path, data, acl, flags, ttl):
    return create_body(path, data, acl, flags) + long(ttl)


def path_and_number(path, number):
    """delete, check, checkWatches, removeWatches, addWatch."""
    return buffer(path) + integer(number)


def path_and_flag(path, flag):
    """exists, getData, getChildren, getChildren2."""
    return buffer(path) + boolean(flag)


def set_data_body(path, data, version=-1):
    return buffer(path) + buffer(data) + integer(version)


def set_acl_body(path, acl, version=-1):
    return buffer(path) + acl_list(acl) + integer(version)


def multi_body(operations):
    """`operations`: (opcode, record bytes)."""
    header = lambda kind, done: integer(kind) + boolean(done) + integer(-1)  # noqa: E731
    return b"".join(header(kind, False) + record for kind, record in operations) + header(-1, True)


def set_watches_body(relative_zxid, *lists):
    """Three lists for setWatches (data, exist, child), five for setWatches2 (and persistent, recursive)."""
    return long(relative_zxid) + b"".join(vector(paths, buffer) for paths in lists)


def frame(payload):
    return struct.pack(">i", len(payload)) + payload


def request(xid, opcode, body=b""):
    return frame(struct.pack(">ii", xid, opcode) + body)


# -- Decoding ---------------------------------------------------------------------------------------------------------


class Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count):
        if count < 0 or self.at + count > len(self.data):
            raise Malformed(f"{count} bytes wanted at {self.at} of {len(self.data)}: {self.data.hex()}")
        self.at += count
        return self.data[self.at - count : self.at]

    def integer(self):
        return struct.unpack(">i", self.take(4))[0]

    def long(self):
        return struct.unpack(">q", self.take(8))[0]

    def boolean(self):
        value = self.take(1)[0]
        if value not in (0, 1):
            raise Malformed(f"a boolean of {value}")
        return bool(value)

    def buffer(self):
        length = self.integer()
        return None if length == -1 else bytes(self.take(length))

    def text(self):
        value = self.buffer()
        return None if value is None else value.decode("utf-8")

    def vector(self, decode):
        count = self.integer()
        return None if count == -1 else [decode(self) for _ in range(count)]

    def stat(self):
        return Stat(*struct.unpack(">qqqqiiiqiiq", self.take(68)))

    def finish(self):
        if self.at != len(self.data):
            raise Malformed(f"{len(self.data) - self.at} bytes left over: {self.data.hex()}")


class Stat(tuple):
    """The eleven fields of protocol 1.3 in wire order, by name."""

    FIELDS = (
        "czxid", "mzxid", "ctime", "mtime", "version", "cversion", "aversion", "ephemeral_owner", "data_length",
        "children", "pzxid",
    )  # fmt: skip

    def __new__(cls, *values):
        return super().__new__(cls, values)

    def __getattr__(self, name):
        try:
            return self[self.FIELDS.index(name)]
        except ValueError:
            raise AttributeError(name) from None

    def __repr__(self):
        return "Stat(" + " ".join(f"{name}={value}" for name, value in zip(self.FIELDS, self)) + ")"


def _acl_entry(reader):
    return (reader.integer(), reader.text(), reader.text())


def _multi_results(reader, of_kind):
    results = []
    while True:
        kind, done, error = reader.integer(), reader.boolean(), reader.integer()
        if done:
            if (kind, error) != (-1, -1):
                raise Malformed(f"a multi ends with {(kind, done, error)}")
            return results
        if kind not in of_kind:
            raise Malformed(f"a multi result of type {kind}")
        results.append((kind, error, *of_kind[kind](reader)))


_MULTI = {
    1: lambda r: (r.text(),),
    15: lambda r: (r.text(), r.stat()),
    2: lambda r: (),
    5: lambda r: (r.stat(),),
    13: lambda r: (),
    4: lambda r: (r.buffer(), r.stat()),
    8: lambda r: (r.vector(Reader.text),),
    -1: lambda r: (r.integer(),),
}

# What a successful reply carries, by opcode (protocol 3.0).
_BODIES = {
    1: lambda r: (r.text(),),
    3: lambda r: (r.stat(),),
    4: lambda r: (r.buffer(), r.stat()),
    5: lambda r: (r.stat(),),
    6: lambda r: (r.vector(_acl_entry), r.stat()),
    7: lambda r: (r.stat(),),
    8: lambda r: (r.vector(Reader.text),),
    9: lambda r: (r.text(),),
    12: lambda r: (r.vector(Reader.text), r.stat()),
    14: lambda r: (_multi_results(r, _MULTI),),
    15: lambda r: (r.text(), r.stat()),
    16: lambda r: (r.buffer(), r.stat()),
    19: lambda r: (r.text(), r.stat()),
    21: lambda r: (r.text(), r.stat()),
    22: lambda r: (_multi_results(r, _MULTI),),
    102: lambda r: (r.buffer(),),
    103: lambda r: (r.vector(Reader.text),),
    104: lambda r: (r.integer(),),
    106: lambda r: (r.integer(),),
    107: lambda r: (r.vector(lambda e: (e.text(), e.text())),),
}


class Reply:
    """A reply: header and decoded body (a tuple; empty when err is not 0 or the operation defines none)."""

    def __init__(self, payload, opcode):
        reader = Reader(payload)
        self.xid, self.zxid, self.error = reader.integer(), reader.long(), reader.integer()
        self.opcode = opcode
        body = _BODIES.get(opcode)
        self.body = body(reader) if body and self.error == 0 else ()
        reader.finish()

    def __repr__(self):
        return f"Reply({NAMES.get(self.opcode, self.opcode)} xid={self.xid} zxid={self.zxid} err={self.error} {self.body})"


class Event:
    def __init__(self, payload):
        reader = Reader(payload)
        self.xid, self.zxid, self.error = reader.integer(), reader.long(), reader.integer()
        self.type, self.state, self.path = reader.integer(), reader.integer(), reader.text()
        reader.finish()
        if (self.xid, self.error, self.state) != (-1, 0, 3):
            raise Malformed(f"an event with {(self.xid, self.error, self.state)}")

    def __repr__(self):
        return f"Event({EVENT_NAMES.get(self.type, self.type)} {self.path} zxid={self.zxid})"


def is_event(payload):
    return len(payload) >= 4 and payload[:4] == b"\xff\xff\xff\xff"


class Session:
    """What a ConnectResponse carries."""

    def __init__(self, payload):
        reader = Reader(payload)
        self.protocol, self.timeout, self.id = reader.integer(), reader.integer(), reader.long()
        self.password = reader.buffer()
        self.read_only = reader.boolean() if reader.at < len(payload) else None
        reader.finish()


class Connection:
    """A socket that speaks frames. Every wait has a deadline."""

    def __init__(self, port, seconds=20):
        self.seconds = seconds
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = bytearray()
        self.events = []
        self.session = None
        self.xid = 0

    # Bytes and frames.

    def send_raw(self, data):
        try:
            self.socket.sendall(data)
        except (ConnectionError, BrokenPipeError) as error:
            raise Closed(str(error)) from None

    def _fill(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0:
            raise Timeout("no frame")
        self.socket.settimeout(left)
        try:
            data = self.socket.recv(1 << 18)
        except TimeoutError:
            raise Timeout("no frame") from None
        except ConnectionError as error:
            raise Closed(str(error)) from None
        if not data:
            raise Closed("end of stream")
        self.received += data

    def receive(self, seconds=None):
        """The next frame's payload."""
        deadline = time.monotonic() + (self.seconds if seconds is None else seconds)
        while True:
            if len(self.received) >= 4:
                (length,) = struct.unpack_from(">i", self.received)
                if length < 0:
                    raise Malformed(f"a frame of {length} bytes")
                if len(self.received) >= 4 + length:
                    payload = bytes(self.received[4 : 4 + length])
                    del self.received[: 4 + length]
                    return payload
            self._fill(deadline)

    def receive_raw(self, count, seconds=None):
        deadline = time.monotonic() + (self.seconds if seconds is None else seconds)
        while len(self.received) < count:
            self._fill(deadline)
        data = bytes(self.received[:count])
        del self.received[:count]
        return data

    def expect_closed(self, seconds=None):
        """Nothing more arrives, and then the server's end of stream."""
        try:
            data = self.receive_raw(1, seconds)
        except Closed:
            return
        raise Malformed(f"bytes instead of an end: {(data + bytes(self.received)).hex()}")

    def close(self):
        self.socket.close()

    # Sessions and requests.

    def connect(self, timeout=30000, session=0, password=b"\0" * 16, last_zxid=0, read_only=False):
        self.send_raw(frame(connect_request(timeout, session, password, last_zxid, read_only)))
        self.session = Session(self.receive())
        return self.session

    def send(self, opcode, body=b"", xid=None):
        if xid is None:
            self.xid += 1
            xid = self.xid
        self.send_raw(request(xid, opcode, body))
        return xid

    def receive_reply(self, opcode, seconds=None):
        """The next reply; events that come before it are kept in `events`."""
        while True:
            payload = self.receive(seconds)
            if not is_event(payload):
                return Reply(payload, opcode)
            self.events.append(Event(payload))

    def call(self, opcode, body=b"", xid=None, seconds=None):
        sent = self.send(opcode, body, xid)
        reply = self.receive_reply(opcode, seconds)
        if reply.xid != (PING_XID if opcode == 11 else sent):
            raise Malformed(f"xid {reply.xid} in reply to {sent}")
        return reply

    def create(self, path, data=b"", flags=0, acl=OPEN_ACL):
        return self.call(1, create_body(path, data, acl, flags))

    def get(self, path, watch=False):
        return self.call(4, path_and_flag(path, watch))

    def set(self, path, data, version=-1):
        return self.call(5, set_data_body(path, data, version))

    def delete(self, path, version=-1):
        return self.call(2, path_and_number(path, version))

    def exists(self, path, watch=False):
        return self.call(3, path_and_flag(path, watch))

    def children(self, path, watch=False):
        return self.call(8, path_and_flag(path, watch))

    def ping(self):
        return self.call(11, b"", PING_XID)

    def auth(self, scheme, data):
        return self.call(100, integer(0) + buffer(scheme) + buffer(data), AUTH_XID)

    def close_session(self):
        reply = self.call(-11)
        self.expect_closed()
        self.close()
        return reply


def opened(port, timeout=30000, **connect):
    connection = Connection(port)
    connection.connect(timeout, **connect)
    return connection
