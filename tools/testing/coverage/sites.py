#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The call sites of the hooks in the kernel under test; run alone, it prints them.

Each call in the source must be found in the compiled code, or not be part of this configuration;
each call in the compiled code must be one of the source.
"""

import dataclasses
import fcntl
import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(_HERE), str(_HERE.parents[1] / "lib")]

import compiled_calls  # noqa: E402
import project  # noqa: E402
import source_calls  # noqa: E402
from marks import Mark  # noqa: E402

_SOURCES = ("sites.py", "source_calls.py", "compiled_calls.py")


class SitesError(Exception):
    """Source and compiled code do not agree."""


@dataclass(frozen=True)
class Site:
    """A call site; `returns` are (symbol, offset) behind its calls in the running kernel.

    `lines` are several where the compiler has made one call of them. What is not compiled has no
    returns, and `absent` says why.
    """

    id: str
    hook: str
    lines: tuple
    returns: tuple
    absent: str = ""


def sites(note=lambda text: None):
    """Returns all sites of the kernel under test, in the order of the source."""
    kernel = project.kernel()
    directory = project.BUILD / "coverage" / kernel.release
    directory.mkdir(parents=True, exist_ok=True)
    cache = directory / "sites.json"
    mark = Mark(directory / "sites.mark", [(kernel.directory / "prepared").read_text(),
                                           *((_HERE / name).read_text() for name in _SOURCES)])
    with open(directory / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not mark.holds():
            note("compiling the kernel's callers of the hooks (about 60 s)")
            found = _find(kernel, directory)
            cache.write_text(json.dumps([dataclasses.asdict(site) for site in found], indent=1))
            mark.set()
    return [Site(**fields | {"lines": tuple(fields["lines"]),
                             "returns": tuple(map(tuple, fields["returns"]))})
            for fields in json.loads(cache.read_text())]


def _find(kernel, directory):
    calls = source_calls.find(kernel.source)
    files = sorted({call.file for call in calls})
    options = {file: compiled_calls.option_left_out(kernel, file) for file in files}
    built = [file for file in files if not options[file]]
    returns = assign(calls, compiled_calls.find(kernel, built, directory))
    return named(calls, returns, options)


def assign(calls, instructions):
    """Returns {call: where its instructions return to}; every instruction must be of a call."""
    returns = {call: [] for call in calls}
    for instruction in instructions:
        # The inmost frame of a .c file; what is further in are functions of headers.
        frame = next((frame for frame in instruction.frames if frame.file.endswith(".c")), None)
        same = [call for call in calls
                if frame and (call.file, call.function, call.hook, call.line)
                == (frame.file, frame.function, instruction.hook, frame.line)]
        if len(same) != 1:
            raise SitesError(f"{instruction.symbol}+{instruction.offset:#x} calls "
                             f"{instruction.hook}, and the source does not: {frame}")
        returns[same[0]].append((instruction.symbol, instruction.offset))
    places = Counter(place for found in returns.values() for place in set(found))
    if twice := [place for place, count in places.items() if count > 1]:
        raise SitesError(f"two sites return to {twice[0]}")
    return returns


def named(calls, returns, options):
    """Makes sites of the calls, with their ids; `options` are what files lack to be compiled."""
    groups = {}
    for call in calls:
        groups.setdefault((call.file, call.function), {}).setdefault(call.hook, []).append(call)
    found = []
    for (file, function), hooks in groups.items():
        for hook, same in hooks.items():
            name = f"{file}:{function}" + (f":{hook}" if len(hooks) > 1 else "")
            merged = _merged(same, returns) if not options[file] else [[call] for call in same]
            for number, together in enumerate(merged, 1):
                places = sorted({place for call in together for place in returns[call]})
                absent = "" if places else f"{options[file] or 'an option'} is off"
                found.append(Site(name + (f"#{number}" if len(merged) > 1 else ""), hook,
                                  tuple(call.line for call in together), tuple(places), absent))
    return found


def _merged(calls, returns):
    """Groups calls of a hook by one function: one that the compiler left out goes to the last.

    Two branches that end in the same call become one instruction; only one of their lines is told.
    """
    compiled = [call for call in calls if returns[call]]
    if not compiled:
        return [calls]
    return [[call] for call in compiled[:-1]] + [
        sorted({*calls} - {*compiled[:-1]}, key=lambda call: call.line)]


def main():
    for site in sites(print):
        lines = ",".join(map(str, site.lines))
        where = " ".join(f"{symbol}+{offset:#x}" for symbol, offset in site.returns)
        print(f"{site.id} ({lines}) {site.hook}: {where or site.absent}")


if __name__ == "__main__":
    main()
