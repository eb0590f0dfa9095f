#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Puts the examples that rustdoc extracted together to one module; see README.md.

usage: generate.py FOLDER, where examples/ and examples.log are; prints the module's source.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

# test rust/mmu_notifier/range.rs - range::Range::blockable (line 40) - compile ... ok
_TEST = re.compile(r"^test (?P<file>\S+) - (?P<item>.*?) ?\(line (?P<line>\d+)\)"
                   r"(?: - (?P<kind>compile fail|compile))? \.\.\. (?P<verdict>.*)$", re.MULTILINE)
_MAIN = "pub(crate) fn main("


@dataclass(frozen=True)
class Example:
    """What rustdoc says of an example; its name is unique.

    `function` is what rustdoc makes of it, without the number that it has for macros.
    """

    name: str
    file: str
    line: int
    kind: str
    verdict: str
    function: str

    @property
    def place(self):
        return f"{self.file}:{self.line}"


def examples(log):
    """All the examples that are in what rustdoc printed, in the order of their places."""
    found = sorted(_TEST.finditer(log), key=lambda test: (test["file"], int(test["line"])))
    counts, result = {}, []
    for test in found:
        item = test["item"].replace(" ", "") or "crate"
        counts[item] = counts.get(item, 0) + 1
        name = item if counts[item] == 1 else f"{item}.{counts[item]}"
        place = re.sub(r"[^A-Za-z0-9]", "_", test["file"])
        result.append(Example(name, test["file"].removeprefix("../"), int(test["line"]),
                              test["kind"] or "", test["verdict"],
                              f"_doctest_main_{place}_{test['line']}_"))
    return result


def module(head, programs):
    """The source of a module of the examples; `programs` is a list of (Example, text)."""
    text, table = head, ""
    for number, (example, program) in enumerate(programs):
        # The line of main() stands for the line of the fence.
        below = program[program.index(_MAIN):].count("\n") + example.line
        text += (f"\nmod example_{number} {{ {program} "
                 f"const ANCHOR: u32 = line!() - {below}; }}\n")
        table += (f"    Example {{ name: \"{example.name} ({example.place})\", "
                  f"run: example_{number}::main }},\n")
    return f"{text}\nconst EXAMPLES: &[Example] = &[\n{table}];\n"


def main():
    folder = Path(sys.argv[1])
    programs = []
    for example in examples((folder / "examples.log").read_text()):
        if example.kind == "compile":
            [path] = (folder / "examples").glob(f"{example.function}*.rs")
            programs.append((example, path.read_text()))
    print(module(Path(__file__).with_name("module.rs").read_text(), programs), end="")


if __name__ == "__main__":
    main()
