#!/usr/bin/python3
"""One end-to-end scenario with real clients, on Debian's ZooKeeper and on Quorate; what they tell must be the same lines.

The clients: kazoo (every section of scenarios/kazoo_client.py), zkCli.sh, and a C program on libzookeeper-mt.
--zookeeper compares two ZooKeepers, which proves that a transcript holds nothing that chance decides.
"""

import difflib
import logging

from harness import cases, servers
from scenarios import c_client, cleaner, kazoo_client, zkcli

SETTINGS = {"znode.container.checkIntervalMs": "1000"}


def agree(tell, oracle, tested, allowed=None):
    wanted = tell(oracle)
    cases.check(len(wanted) > 3, f"the oracle told only {wanted}")
    found = tell(tested)
    if found != wanted:
        lines = difflib.unified_diff(wanted, found, oracle.kind, tested.kind, lineterm="", n=1)
        raise cases.Failure("the transcripts differ:\n    " + "\n    ".join(lines))
    return f"{len(found)} lines agree"


def main():
    parser = servers.arguments(__doc__.splitlines()[0])
    parser.add_argument("--print", action="store_true", help="print what the oracle's clients tell, and compare nothing")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    tellers = {f"kazoo {section.__name__}": lambda server, s=section: kazoo_client.transcript(server, s) for section in kazoo_client.SECTIONS}
    tellers["containers and TTL"] = cleaner.transcript
    if c_client.available():
        tellers["C on libzookeeper-mt"] = c_client.transcript
    if zkcli.available():
        tellers["zkCli.sh"] = zkcli.transcript
    report = cases.Report(options.only)
    for name in {"C on libzookeeper-mt", "zkCli.sh"} - set(tellers):
        report.run(name, lambda: cases.check(False, "its packages are not installed (tools/setup.sh check)"))
    oracle = servers.ZooKeeper(SETTINGS, keep=options.keep).launch()
    tested = servers.tested(options, SETTINGS) if not options.print else oracle
    if tested is not oracle:
        tested.start()
    oracle.wait_until_serving()
    for name, tell in tellers.items():
        if options.print:
            report.run(name, lambda: print("\n".join(tell(oracle))))
        else:
            report.run(name, agree, tell, oracle, tested)
    report.finish()


if __name__ == "__main__":
    main()
