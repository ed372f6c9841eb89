#!/usr/bin/python3
"""Replays the 62 standalone golden vectors (protocol 16) byte for byte.

What may vary is what each step's `vary` names, by the conventions of the file: symbols are bound once and then equal;
zxids of transactions are exact and in order, the header zxid of a read or of a refused write may be larger than on a
server with no other activity (`zxid_rule`), an event's may be -1 or the transaction's, unordered vectors are sets.
ZooKeeper itself must pass with --strict, where every zxid symbol is exact.

Two cases prove the runner: a wrong byte planted into a recording, and one in each single step of a few vectors, must fail.
"""

import json
import pathlib
import struct
import sys

from harness import cases, protocol, servers, waiting
from harness.cases import check

VECTORS = pathlib.Path(__file__).parent / "golden/zookeeper-golden.json"
COUNT = 62
# Opcodes whose successful reply carries the zxid of a transaction (protocol 2.2).
WRITES = {1, 2, 5, 7, 14, 15, 16, 19, 21, -11}
SECONDS = 10


class Symbols:
    """Values bound within one vector."""

    def __init__(self, strict):
        self.strict = strict
        self.values = {}  # symbol: bytes
        self.headers = {}  # lenient header zxids by symbol, where the exact value is not known
        self.seen = set()  # every header zxid of the vector
        self.events = []  # event zxids, judged at the end

    def bind(self, symbol, found):
        wanted = self.values.setdefault(symbol, found)
        check(found == wanted, f"{symbol} is {found.hex()}, was {wanted.hex()}")

    def bind_transaction(self, symbol, found):
        self.bind(symbol, found)
        order = sorted((int(name[1:]), value) for name, value in self.values.items() if name[0] == "Z")
        check(all(a[1] < b[1] for a, b in zip(order, order[1:])), f"zxids out of order: {order}")

    def header_of_a_read(self, symbol, found):
        number = int(symbol[1:])
        for name, value in self.values.items():
            if name[0] == "Z" and int(name[1:]) <= number:
                check(found >= value, f"header zxid {found.hex()} of a read is below {name} = {value.hex()}")
        for name, value in self.headers.items():
            if int(name[1:]) < number:
                check(found >= value, f"header zxid {found.hex()} of {symbol} is below {name}'s {value.hex()}")
        self.headers[symbol] = max(found, self.headers.get(symbol, found))

    def judge_events(self):
        for value in self.events:
            check(value == -1 or value in self.seen, f"event zxid {value} is neither -1 nor a transaction's {sorted(self.seen)}")

    def substitute(self, step):
        data = bytearray.fromhex(step["hex"])
        for range_ in step.get("vary", ()):
            symbol, at, length = range_.get("symbol"), range_["offset"], range_["length"]
            if symbol:
                value = self.values.get(symbol, self.headers.get(symbol))
                check(value is not None, f"{symbol} is not bound")
                data[at : at + length] = value
        return bytes(data)


def unordered_client_infos(data):
    reader = protocol.Reader(data)
    infos = sorted(reader.vector(lambda r: (r.text(), r.text())))
    reader.finish()
    return infos


class Player:
    def __init__(self, port, strict):
        self.port = port
        self.symbols = Symbols(strict)
        self.connections = {}
        self.requests = {}  # (connection, xid): opcode

    def play(self, vector):
        try:
            for number, step in enumerate(vector["setup"] + vector["steps"]):
                try:
                    getattr(self, step["action"])(step)
                except (cases.Failure, protocol.Closed, protocol.Timeout, protocol.Malformed) as error:
                    raise cases.Failure(
                        f"step {number} ({step['conn']} {step['action']} {step.get('note', '')}): {error or type(error).__name__}"
                    ) from None
            self.symbols.judge_events()
        finally:
            for connection in self.connections.values():
                connection.close()

    def open(self, step):
        self.connections[step["conn"]] = protocol.Connection(self.port, SECONDS)

    def client_close(self, step):
        self.connections[step["conn"]].close()

    def send(self, step):
        data = self.symbols.substitute(step)
        if step.get("note") != "ConnectRequest" and len(data) >= 12:
            xid, opcode = struct.unpack_from(">ii", data, 4)
            self.requests[step["conn"], xid] = opcode
        self.connections[step["conn"]].send_raw(data)

    def send_raw(self, step):
        self.connections[step["conn"]].send_raw(bytes.fromhex(step["hex"]))

    def recv_raw(self, step):
        wanted = bytes.fromhex(step["hex"])
        cases.same(self.connections[step["conn"]].receive_raw(len(wanted), SECONDS).hex(), wanted.hex(), "bytes")

    def recv(self, step):
        found = protocol.frame(self.connections[step["conn"]].receive(SECONDS))
        self.compare(step, found)

    def compare(self, step, found):
        wanted = bytes.fromhex(step["hex"])
        check(len(found) == len(wanted), f"found {found.hex()}, wanted {wanted.hex()}: another length")
        found_rest, wanted_rest = bytearray(found), bytearray(wanted)
        for range_ in sorted(step.get("vary", ()), key=lambda r: r["offset"]):
            at, length = range_["offset"], range_["length"]
            self.compare_range(step, range_, found[at : at + length], wanted[at : at + length], found)
            found_rest[at : at + length] = wanted_rest[at : at + length] = bytes(length)
        if found_rest != wanted_rest:
            at = next(i for i in range(len(found)) if found_rest[i] != wanted_rest[i])
            field = next((f["name"] for f in step.get("fields", ()) if f["offset"] <= at < f["offset"] + f["length"]), "?")
            raise cases.Failure(f"byte {at} ({field}): found {found.hex()}, wanted {wanted.hex()}")

    def compare_range(self, step, range_, found, wanted, whole):
        kind, symbol = range_["kind"], range_.get("symbol")
        if kind.startswith("unordered_vector"):
            check(kind == "unordered_vector<ClientInfo>", f"{kind} is unknown to the runner")
            cases.same(unordered_client_infos(found), unordered_client_infos(wanted), kind)
        elif kind == "event_zxid":
            self.symbols.events.append(int.from_bytes(found, "big", signed=True))
        elif kind == "zxid" and range_["offset"] == 8:
            xid, zxid, error = struct.unpack_from(">iqi", whole, 4)
            self.symbols.seen.add(zxid)
            wrote = error == 0 and self.requests.get((step["conn"], xid)) in WRITES
            if wrote or self.symbols.strict:
                self.symbols.bind_transaction(symbol, found)
            else:
                self.symbols.header_of_a_read(symbol, found)
        elif kind == "zxid":
            self.symbols.bind_transaction(symbol, found)
        else:
            check(kind in ("time", "session_id", "password"), f"{kind} is unknown to the runner")
            self.symbols.bind(symbol, found)

    def closed(self, step):
        self.connections[step["conn"]].expect_closed(SECONDS)

    def silence(self, step):
        try:
            payload = self.connections[step["conn"]].receive(step["ms"] / 1000)
        except protocol.Timeout:
            return
        raise cases.Failure(f"a frame in the silence: {payload.hex()}")

    def wait(self, step):
        waiting.let_pass(step["ms"] / 1000)


def planted_bytes(server, vectors, strict):
    """A vector with one wrong byte outside the varying ranges must fail, at every fourth byte of three vectors' answers."""
    planted = 0
    for name in ("get_children", "acl_roundtrip", "multi_read"):
        vector = next(v for v in vectors if v["name"] == name)
        for number, step in enumerate(vector["steps"]):
            if step["action"] != "recv":
                continue
            varying = {i for r in step.get("vary", ()) for i in range(r["offset"], r["offset"] + r["length"])}
            for at in range(4, len(step["hex"]) // 2, 4):
                if at in varying:
                    continue
                data = bytearray.fromhex(step["hex"])
                data[at] ^= 1
                player = Player(server.port, strict)
                try:
                    player.compare(dict(step, hex=data.hex()), bytes.fromhex(step["hex"]))
                except cases.Failure:
                    planted += 1
                    continue
                raise cases.Failure(f"{name} step {number}: a wrong byte at {at} went unnoticed")
    # And once through a whole replay, against the living server.
    wrong = json.loads(json.dumps(next(v for v in vectors if v["name"] == "four_letter_word")))
    wrong["steps"][-2]["hex"] = "696d6f6c"
    try:
        Player(server.port, strict).play(wrong)
    except cases.Failure:
        return f"{planted + 1} planted bytes were seen"
    raise cases.Failure("a wrong byte in a replay went unnoticed")


def main():
    parser = servers.arguments(__doc__.splitlines()[0])
    parser.add_argument("--strict", action="store_true", help="every zxid symbol is exact, that of reads too")
    options = parser.parse_args()
    options.strict = options.strict or options.zookeeper
    vectors = [v for v in json.loads(VECTORS.read_text())["vectors"] if v["server"] == "standalone"]
    if len(vectors) != COUNT:
        sys.exit(f"{len(vectors)} vectors, {COUNT} were expected")
    report = cases.Report(options.only)
    server = servers.tested(options).start()
    for number, vector in enumerate(vectors, 1):
        report.run(f"V{number:02d} {vector['name']}", Player(server.port, options.strict).play, vector)
    report.run("planted wrong bytes are seen", planted_bytes, server, vectors, options.strict)
    report.finish()


if __name__ == "__main__":
    main()
