"""Containers and TTL znodes go by themselves (protocol 9), told over raw frames: no packaged client makes them all."""

from harness import protocol, waiting

SECONDS = 20


def transcript(server):
    lines = []
    connection = protocol.opened(server.port)

    def say(*words):
        lines.append(" ".join(str(word) for word in words))

    def make(what, opcode, path, flags, ttl=None):
        body = protocol.create_body(path, b"", flags=flags) + (b"" if ttl is None else protocol.long(ttl))
        reply = connection.call(opcode, body)
        say(what, reply.error, reply.body and (reply.body[0], reply.body[1].ephemeral_owner))

    def gone(path):
        return connection.exists(path).error == -101

    connection.create("/clean")
    make("a container that is used", 19, "/clean/used", 4)
    make("a container that is not", 19, "/clean/unused", 4)
    make("a container that is in use", 19, "/clean/busy", 4)
    make("a short life", 21, "/clean/short", 5, 500)
    make("a short life with a number", 21, "/clean/short-", 6, 500)
    make("a long life", 21, "/clean/long", 5, 600_000)
    make("a short life with a child", 21, "/clean/parent", 5, 500)
    for path in ("/clean/used/child", "/clean/busy/child", "/clean/parent/child"):
        say("child", connection.create(path).error)
    watching = protocol.opened(server.port)
    for path in ("/clean/used", "/clean/short"):
        say("watch", watching.exists(path, watch=True).error)
    say("the child goes", connection.delete("/clean/used/child").error)
    for path in ("/clean/used", "/clean/short"):
        waiting.until(lambda: gone(path), SECONDS, f"{path} goes by itself")
    waiting.until(lambda: len(connection.children("/clean").body[0]) == 4, SECONDS, "the numbered one goes")
    waiting.let_pass(2)
    say("left", sorted(connection.children("/clean").body[0]))
    watching.ping()
    say("seen", sorted((event.type, event.path) for event in watching.events))
    stat = connection.exists("/clean").body[0]
    say("parent", stat.cversion, stat.children, stat.pzxid > stat.czxid)
    watching.close_session()
    connection.close_session()
    return lines
