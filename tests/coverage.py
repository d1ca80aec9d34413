"""coverage.py - what the tests reach of core/ and server/, by folder, and what they do not (`make coverage`).

usage: tests/coverage.py GCOVR-JSON...

Lines count in all; branches where bytes from outside are read and where data are kept. It fails below the marks. A line or a
branch counts once however many objects or tests reach it. Branches that only a failed allocation takes are counted like
all others.
"""
import json
import os
import sys
from collections import defaultdict

LINES_WANTED = 90.0  # percent, of all together
BRANCHES_WANTED = 90.0
BRANCH_FOLDERS = "server/auth", "server/codec", "server/http", "server/store"
WORST = 25  # files whose gaps are shown


class Tally:
    def __init__(self):
        self.lines, self.branches, self.missed = [0, 0], [0, 0], []

    def add(self, other):
        for mine, theirs in ((self.lines, other.lines), (self.branches, other.branches)):
            mine[0] += theirs[0]
            mine[1] += theirs[1]


def percent(part):
    return 100.0 * part[0] / part[1] if part[1] else 100.0


def folder_of(path):
    """server/store/sqlite/x.c is of server/store, server/main.c of server."""
    parts = os.path.dirname(path).split("/")
    return "/".join(parts[:2])


def read(names):
    """{file: Tally}"""
    counts, branches = defaultdict(lambda: defaultdict(int)), defaultdict(lambda: defaultdict(int))
    for name in names:
        with open(name, encoding="utf-8") as file:
            for source in json.load(file)["files"]:
                for line in source["lines"]:
                    number = line["line_number"]
                    if line.get("gcovr/noncode"):
                        continue
                    counts[source["file"]][number] += line["count"]
                    for at, branch in enumerate(line["branches"]):
                        branches[source["file"]][number, at] += branch["count"]
    found = {}
    for path, lines in counts.items():
        tally = found[path] = Tally()
        tally.lines = [sum(1 for count in lines.values() if count), len(lines)]
        tally.branches = [sum(1 for count in branches[path].values() if count), len(branches[path])]
        tally.missed = sorted({n for n, count in lines.items() if not count} |
                              {n for (n, _), count in branches[path].items() if not count})
    return found


def ranges(numbers):
    text, first, last = [], None, None
    for number in [*numbers, None]:
        if number is not None and last is not None and number == last + 1:
            last = number
            continue
        if first is not None:
            text.append(str(first) if first == last else f"{first}-{last}")
        first = last = number
    return " ".join(text)


def main():
    files = read(sys.argv[1:])
    if not files:
        sys.exit("coverage: no file was measured")
    folders, whole, faults = defaultdict(Tally), Tally(), []
    for path, tally in files.items():
        folders[folder_of(path)].add(tally)
        whole.add(tally)
    print(f"{'folder':<20} {'lines':>15} {'branches':>20}")
    for folder, tally in [*sorted(folders.items()), ("all", whole)]:
        print(f"{folder:<20} {percent(tally.lines):6.1f} % of {tally.lines[1]:5} {percent(tally.branches):8.1f} % of {tally.branches[1]:6}")
        if folder in BRANCH_FOLDERS and percent(tally.branches) < BRANCHES_WANTED:
            faults.append(f"{folder}: {percent(tally.branches):.1f} % of branches, {BRANCHES_WANTED} are wanted")
    if percent(whole.lines) < LINES_WANTED:
        faults.append(f"{percent(whole.lines):.1f} % of all lines, {LINES_WANTED} are wanted")
    print("\nlines that no test reaches, or not in every direction; most branches missed first")
    for path, tally in sorted(files.items(), key=lambda item: item[1].branches[0] - item[1].branches[1])[:WORST]:
        print(f"{path}: {tally.branches[1] - tally.branches[0]} of {tally.branches[1]} branches, "
              f"{tally.lines[1] - tally.lines[0]} of {tally.lines[1]} lines\n    {ranges(tally.missed)}")
    for fault in faults:
        print(f"coverage: {fault}")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
