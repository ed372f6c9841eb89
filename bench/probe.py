"""The smallest client there is: asks one server one question, with sockets and struct alone."""

import socket
import struct

CONNECT = struct.pack(">iqiqi16sb", 0, 0, 30_000, 0, 16, bytes(16), 0)
CREATE_SESSION_SECONDS_MAX = 5.0


def _frame(payload):
    return struct.pack(">i", len(payload)) + payload


def _read_frame(stream):
    header = stream.read(4)
    if len(header) < 4:
        raise ConnectionError("the server closed the connection")
    (length,) = struct.unpack(">i", header)
    payload = stream.read(length)
    if len(payload) < length:
        raise ConnectionError("the server closed the connection")
    return payload


def get(port, path):
    """The data of a znode, over a session of its own; None if it does not exist."""
    with socket.create_connection(("127.0.0.1", port), timeout=CREATE_SESSION_SECONDS_MAX) as connection:
        connection.settimeout(CREATE_SESSION_SECONDS_MAX)
        stream = connection.makefile("rb")
        name = path.encode()
        connection.sendall(_frame(CONNECT))
        _, timeout_ms, session = struct.unpack(">iiq", _read_frame(stream)[:16])
        if session == 0 or timeout_ms <= 0:
            raise ConnectionError("the server refused the session")
        connection.sendall(_frame(struct.pack(">iii", 1, 4, len(name)) + name + b"\0"))
        reply = _read_frame(stream)
        _, _, error = struct.unpack(">iqi", reply[:16])
        # closeSession, so that no session is left behind; its reply is not waited for.
        connection.sendall(_frame(struct.pack(">ii", 2, -11)))
        if error != 0:
            return None
        (length,) = struct.unpack(">i", reply[16:20])
        return reply[20 : 20 + max(length, 0)]


def answers(port):
    """Whether the server serves: it opens a session and knows the root."""
    try:
        return get(port, "/") is not None
    except (OSError, struct.error):
        return False


def has_key(port, root, key, value_bytes):
    """Whether the server gives the right data for a key that `quorate bench --prepare` made."""
    path = f"{root}/d{key // 100:07d}/k{key:09d}"
    try:
        data = get(port, path)
    except (OSError, struct.error):
        return False
    return data is not None and len(data) == value_bytes and data.startswith(f"{key:09d}".encode())
