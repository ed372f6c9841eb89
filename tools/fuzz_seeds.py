#!/usr/bin/env python3
"""Seeds for the fuzz targets, made from what the project has: tools/fuzz_seeds.py DIRECTORY writes DIRECTORY/<target>/*.

Golden vectors become requests and scripts of requests, the data directories of earlier landings become logs, snapshots
and entries, docs/settings.md becomes configurations. A mutation engine alone finds none of these formats in a minute.
"""

import ctypes
import hashlib
import io
import itertools
import json
import pathlib
import re
import struct
import sys
import tarfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BLOCK = 4096  # Of the log (docs/formats/log.md).
RECORD_HEADER = 72
BATCH_HEADER = 44
SNAPSHOT_FOOTER = 48
SNAPSHOT_BLOCK_HEADER = 24


def golden_vectors():
    return json.loads((ROOT / "test/golden/zookeeper-golden.json").read_text())["vectors"]


def steps(vector):
    return [*vector.get("setup", []), *vector["steps"]]


def requests():
    """Frames without their length, and bodies alone: the target tries its bytes as every operation's body."""
    for vector in golden_vectors():
        for step in steps(vector):
            if step["action"] == "send":
                frame = bytes.fromhex(step["hex"])[4:]
                yield frame
                yield frame[8:]


# What the first byte of a step asks of src/replica/front_fuzz.cpp, in its upper half.
HEAL_DISK, LATER, HANG_UP, RUN, SEND = 1, 2, 3, 5, 7
FRAMED = 1


def step_byte(kind, actor):
    """The byte whose upper half is the kind and which names this one of three actors."""
    return next(byte for byte in range(kind * 16, kind * 16 + 16) if byte % 3 == actor)


def scripts():
    for vector in golden_vectors():
        actors = {}
        script = bytearray([1])
        for step in steps(vector):
            actor = actors.setdefault(step.get("conn"), len(actors) % 3)
            if step["action"] == "open" or step["action"] == "client_close":
                script.append(step_byte(HANG_UP, actor))
            elif step["action"] == "send":
                frame = bytes.fromhex(step["hex"])[4:]
                script += bytes([step_byte(SEND, actor), 0, FRAMED, len(frame)]) + frame
            elif step["action"] == "wait":
                script += bytes([step_byte(LATER, actor), 50])
            else:
                script.append(step_byte(RUN, actor))
        yield bytes(script)
    yield from made_scripts()


def made_scripts():
    """Every operation over a znode that is there, watched by another client, and a disk that is slow or full."""
    table = re.findall(r"\{Opcode::(\w+),", (ROOT / "src/wire/opcodes.cpp").read_text())
    create, exists, well_formed = table.index("create"), table.index("exists"), 4

    def sends(actor, operation, *rest):
        return bytes([step_byte(SEND, actor), operation, well_formed, *rest])

    for operation in range(len(table)):
        script = bytes([0]) + sends(0, create, 0, 1, 65, 0) + sends(1, exists, 0, 0)
        for path, more in itertools.product((0, 1, 2), (0, 1, 3)):
            script += sends(0, operation, path, more, more, more, more)
        yield script + bytes([step_byte(RUN, 0), 0, step_byte(LATER, 0), 255, step_byte(HEAL_DISK, 0)])


def landings():
    """(log, [snapshots]) of each landing; zeros at the end of the log are left out."""
    for archive in sorted((ROOT / "test/landings").glob("*.tar.gz")):
        with tarfile.open(archive) as tar:
            files = {name: tar.extractfile(name).read() for name in tar.getnames() if tar.getmember(name).isfile()}
        (log,) = [data for name, data in files.items() if name.startswith("./log/") and name.endswith(".log")]
        used = len(log.rstrip(b"\0"))
        yield log[: (used + BLOCK - 1) // BLOCK * BLOCK], [data for name, data in sorted(files.items()) if name.endswith(".snapshot")]


def records(log):
    """(record with its padding, payload) of each."""
    at = BLOCK
    while at < len(log):
        (length,) = struct.unpack_from("<I", log, at + 12)
        size = (RECORD_HEADER + length + BLOCK - 1) // BLOCK * BLOCK
        yield log[at : at + size], log[at + RECORD_HEADER : at + RECORD_HEADER + length]
        at += size


def batches(payload):
    while payload:
        (length,) = struct.unpack_from("<I", payload, 4)
        yield payload[: BATCH_HEADER + length]
        payload = payload[BATCH_HEADER + length :]


def entries(batch):
    stream = io.BytesIO(batch[BATCH_HEADER:])
    while first := stream.read(1):
        length, shift = first[0] & 127, 7
        while first[0] & 128:
            first = stream.read(1)
            length |= (first[0] & 127) << shift
            shift += 7
        stream.read(1)  # The kind.
        yield stream.read(length)


def logs():
    for log, _ in landings():
        yield log[:BLOCK]
        for record, payload in records(log):
            yield record
            yield from batches(payload)


def commands():
    for log, _ in landings():
        for _, payload in records(log):
            for batch in batches(payload):
                yield from entries(batch)


def decompressed(data, size):
    zstd = ctypes.CDLL("libzstd.so.1")
    zstd.ZSTD_decompress.restype = ctypes.c_size_t
    into = ctypes.create_string_buffer(size)
    taken = zstd.ZSTD_decompress(into, ctypes.c_size_t(size), data, ctypes.c_size_t(len(data)))
    assert taken == size, "a block of a landing decompresses"
    return into.raw


def snapshot_parts(snapshot):
    """(header, [(block, its items)], footer)."""
    (length,) = struct.unpack_from("<I", snapshot, 12)
    at = 24 + length
    header, blocks = snapshot[:at], []
    while at < len(snapshot) - SNAPSHOT_FOOTER:
        raw, packed, codec = struct.unpack_from("<III", snapshot, at + 12)
        end = at + SNAPSHOT_BLOCK_HEADER + packed
        data = snapshot[at + SNAPSHOT_BLOCK_HEADER : end]
        blocks.append((snapshot[at:end], decompressed(data, raw) if codec else data))
        at = end
    return header, blocks, snapshot[at:]


def snapshots():
    for _, files in landings():
        for snapshot in files:
            header, blocks, footer = snapshot_parts(snapshot)
            yield from (header, footer)
            for block, items in blocks:
                yield from (block, items)


def directories():
    """The first byte says what src/sim/recovery_fuzz.cpp makes of the rest."""
    from_chunks, snapshot_alone, log_alone, from_items, both = 0, 1, 2, 3, 7
    for log, files in landings():
        yield bytes([log_alone]) + log[: BLOCK * 9]  # The header and some records: short inputs are quick ones.
        chunks = b"".join(struct.pack("<HBBBxxx", len(payload), 0, 1, 1) + payload for _, payload in records(log) if len(payload) < 8192)
        yield bytes([from_chunks]) + chunks
        for snapshot in files:
            yield bytes([snapshot_alone]) + snapshot
            yield bytes([both]) + struct.pack("<I", len(snapshot)) + snapshot + chunks
            items = [items for _, items in snapshot_parts(snapshot)[1]]
            yield bytes([from_items]) + b"".join(struct.pack("<H", len(each)) + each for each in items)


def configurations():
    """Every setting with its default or a number, alone and all together; servers and families with numbers."""
    rows = [[cell.strip() for cell in line.split("|")] for line in (ROOT / "docs/settings.md").read_text().splitlines() if line.startswith("| `")]
    lines = []
    for _, name, spellings, _, kind, _, standard, *_ in rows:
        value = standard.strip("`") or ("10" if kind == "number" else "true")
        names = re.findall(r"`([^`]+)`", name + spellings)
        lines += [f"{each}={value}" for each in names]
    basis = "dataDir=/var/lib/quorate\nclientPort=2181\n"
    yield from (f"{basis}{line}\n".encode() for line in lines)
    yield (basis + "\n".join(lines) + "\n").encode()
    yield (basis + "tickTime=2000\ninitLimit=10\nsyncLimit=5\nserver.1=one:2888:3888\nserver.2=two:2888:3888:observer;2181\n").encode()
    yield (basis + "# a comment\n! another\n  key\\ with : a \\\n   second line\nauthProvider.1=x\n\\u0041=\\t\\n\n4lw.commands.whitelist=*\n").encode()


def words():
    names = re.findall(r'"(\w{4})"', (ROOT / "src/admin/four_letter_words.cpp").read_text())
    for name in names:
        yield name.encode()
        yield name.encode() + b"\1\2\3\4\5\6\7\10" + b"/a/b\0" * 20


SEEDS = {
    "wire_request_fuzz": requests,
    "wire_command_fuzz": commands,
    "wire_log_fuzz": logs,
    "wire_snapshot_fuzz": snapshots,
    "replica_front_fuzz": scripts,
    "sim_recovery_fuzz": directories,
    "server_config_fuzz": configurations,
    "admin_four_letter_words_fuzz": words,
}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    missing = {f"{path.parent.name}_{path.stem}" for path in (ROOT / "src").glob("*/*_fuzz.cpp")} ^ set(SEEDS)
    if missing:
        sys.exit(f"fuzz_seeds: targets and seeds differ: {', '.join(sorted(missing))}")
    for target, make in SEEDS.items():
        folder = pathlib.Path(sys.argv[1]) / target
        folder.mkdir(parents=True, exist_ok=True)
        made = {hashlib.sha1(seed).hexdigest(): seed for seed in make() if seed}
        for name, seed in made.items():
            (folder / name).write_bytes(seed)
        print(f"{target}: {len(made)} seeds, {sum(map(len, made.values()))} bytes")


if __name__ == "__main__":
    main()
