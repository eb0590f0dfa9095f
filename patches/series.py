# SPDX-License-Identifier: GPL-2.0
"""The patch series, patch by patch: what it says and what it does to a pristine tree.

tools/build/patches.py makes it. An edit names a line of the tree as it is now; where the tree has
no such line any more, making the series fails and says so.
"""

from dataclasses import dataclass, field
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
TREE = TOP / "patches" / "tree"
FOLDER = Path("mm/mmu_notifier_rust")
DOCUMENTS = Path("Documentation/mm/mmu_notifier_rust")

# Only the module has these.
_OF_THE_MODULE = {"btf.rs", "layout.rs", "takeover.rs"}
_LOCKS = ("lock.rs", "mm.rs", "mm_lock.rs", "smallest.rs")
_GRACE_PERIODS = ("domain.rs", "mode.rs", "monitor.rs", "native.rs", "pending.rs", "slots.rs",
                  "srcu.rs", "ticks.rs", "wait.rs", "waiting.rs", "watchdog.rs")

_EVENTS = "rust/tracepoints.h"
EVENTS_SUBJECT = "mm/mmu_notifier_rust: define tracepoints"
_OBSERVING = ("account.rs", "age.rs", "debugfs.rs", "fields.rs", "hidden.rs", "observe.rs",
              "survey.rs")


@dataclass(frozen=True)
class Insert:
    """New lines before or after the one line of `file` that reads `line`."""

    file: str
    line: str
    new: str
    before: bool = False

    def apply(self, text):
        lines = text.splitlines(keepends=True)
        places = [number for number, line in enumerate(lines) if line.rstrip("\n") == self.line]
        if len(places) != 1:
            raise ValueError(f"{self.file}: {len(places)} lines read {self.line!r}, want one")
        place = places[0] + (not self.before)
        return "".join([*lines[:place], self.new, *lines[place:]])


@dataclass(frozen=True)
class Replace:
    """Another line for the one line of `file` that reads `line`."""

    file: str
    line: str
    new: str

    def apply(self, text):
        text = Insert(self.file, self.line, self.new).apply(text)
        return text.replace(f"{self.line}\n", "", 1)


@dataclass(frozen=True)
class Patch:
    """One commit: `files` are new ones as {path in the tree: file of this checkout}."""

    subject: str
    message: str
    edits: tuple = ()
    files: dict = field(default_factory=dict)


def _in_tree(name):
    """Where a file of this checkout goes: C is in one folder with the Rust that it serves."""
    return FOLDER / name.removeprefix("rust/")


def _sources(names):
    return {_in_tree(name): TOP / name for name in names}


def rust_sources():
    """The Rust files of a core that is built in."""
    return sorted(path.name for path in TOP.glob("*.rs") if path.name not in _OF_THE_MODULE)


def test_sources():
    """The KUnit tests that have files of their own, beside those they test."""
    return sorted(f"kunit/{path.name}" for path in (TOP / "kunit").glob("*.rs"))


def c_sources():
    """Its C files and what reads them."""
    return sorted(f"rust/{path.name}" for path in (TOP / "rust").iterdir() if path.is_file())


def _c_but_events():
    return [name for name in c_sources() if name != _EVENTS]


def core_files():
    """All of the core but its Makefile, as {path in this checkout: path in the tree}."""
    return {Path(name): _in_tree(name)
            for name in (*rust_sources(), *c_sources(), *test_sources())}


def _rest():
    return [name for name in rust_sources() if name not in (*_LOCKS, *_GRACE_PERIODS, *_OBSERVING)]


_CHOICE = """\
choice
	prompt "MMU-notifier core"
	depends on MMU_NOTIFIER
	default MMU_NOTIFIER_C
	help
	  The core calls those who map the memory of other processes (KVM,
	  devices that share a process's address space, RDMA) when it changes.
	  All cores serve the same functions to the same users.

config MMU_NOTIFIER_C
	bool "C"
	help
	  The core of mm/mmu_notifier.c. If unsure, choose this.

endchoice

"""

_RUST = """
config MMU_NOTIFIER_RUST
	bool "Rust"
	depends on RUST && X86_64 && SMP
	help
	  The core of mm/mmu_notifier_rust/, with the same interface. A callback
	  that is stuck in one process holds up nobody but those who use that
	  process, and the log tells which it is and who waits. (In C, all who
	  unregister or exit wait for it.) Registrations of different processes
	  run side by side.

	  See Documentation/mm/mmu_notifier_rust/index.rst.
"""

_KUNIT = """\
config MMU_NOTIFIER_KUNIT_TEST
	bool "KUnit tests for the MMU-notifier core in Rust"
	depends on KUNIT=y && RUST && X86_64 && SMP
	select MMU_NOTIFIER
	help
	  Tests of what needs no real address space, run at boot. They also
	  make the parameter mmu_notifier_rust.mode writable.

	  Nothing happens unless MMU_NOTIFIER_RUST is the core.

	  If unsure, say N.

"""

_MAINTAINERS = """\
MMU-NOTIFIER CORE IN RUST
L:	linux-mm@kvack.org
L:	rust-for-linux@vger.kernel.org
S:	Orphan
F:	Documentation/mm/mmu_notifier_rust/
F:	mm/mmu_notifier_rust/

"""


def patches():
    """The series, in order; nothing of the new core is built before the patch that adds it."""
    return (
        Patch("mm/mmu_notifier: make the core a choice", """\
There is to be a second core that serves the same functions. Let the
configuration choose; the one in C stays the default and is, for now, the
only one.""", edits=(
            Insert("mm/Kconfig", "config KSM", _CHOICE, before=True),
            Replace("mm/Makefile", "obj-$(CONFIG_MMU_NOTIFIER) += mmu_notifier.o",
                    "obj-$(CONFIG_MMU_NOTIFIER_C) += mmu_notifier.o\n"),
        )),
        Patch("mm/mmu_notifier_rust: add what is C", """\
The core in Rust calls macros and inline functions of the kernel through
forwarders, has its per-CPU slots and its parameters in C, and exports what
mm/mmu_notifier.c does.

Nothing is built before the core itself is there.""", files=_sources(_c_but_events())),
        Patch(EVENTS_SUBJECT, """\
What the core tells perf, ftrace and BPF. See
Documentation/mm/mmu_notifier_rust/observing.rst, which comes with a later
patch.""", files=_sources([_EVENTS])),
        Patch("mm/mmu_notifier_rust: add the locks of an address space", """\
A registration excludes the VM by every i_mmap and anon_vma lock of the
address space, as with mm_take_all_locks(). That one is called under a
mutex for the whole machine. Here an order, by class and then by address,
keeps two registrations from waiting for each other, so that those of
different processes run side by side.""", files=_sources(_LOCKS)),
        Patch("mm/mmu_notifier_rust: add grace periods of one address space", """\
With one SRCU domain for the machine, a callback that is stuck in one
process holds up every unregister and every exit on the machine. Readers
here say in a slot of their processor whose list they read, and who waits
looks for its own address space only.

See Documentation/mm/mmu_notifier_rust/grace-periods.rst, which comes with
a later patch.""", files=_sources(_GRACE_PERIODS)),
        Patch("mm/mmu_notifier_rust: add tracepoints and debugfs", """\
Which drivers have subscribed to which processes, how long their callbacks
take, and who waits for whom. The hooks that are called most learn from a
look at the mode, or a no-op, that nobody wants to know.

See Documentation/mm/mmu_notifier_rust/observing.rst, which comes with a
later patch.""", files=_sources(_OBSERVING)),
        Patch("rust: bindings: add MMU notifiers and interval trees", """\
The MMU-notifier core in Rust serves the former and keeps subscriptions to
ranges in the latter.""", edits=(
            Insert("rust/bindings/bindings_helper.h", "#include <linux/interrupt.h>",
                   "#include <linux/interval_tree.h>\n"),
            Insert("rust/bindings/bindings_helper.h", "#include <linux/miscdevice.h>",
                   "#include <linux/mmu_notifier.h>\n"),
        )),
        Patch("mm/mmu_notifier: add a core in Rust", """\
It serves the 18 functions of mm/mmu_notifier.c with the same names,
signatures, semantics and contexts, and exports the same ones. A process
without subscriptions pays what it pays today: the inline functions of
include/linux/mmu_notifier.h stay as they are.""", edits=(
            Insert("mm/Kconfig",
                   "	  The core of mm/mmu_notifier.c. If unsure, choose this.", _RUST),
            Insert("mm/Makefile", "obj-$(CONFIG_MMU_NOTIFIER_C) += mmu_notifier.o",
                   "obj-$(CONFIG_MMU_NOTIFIER_RUST) += mmu_notifier_rust/\n"),
        ), files=_sources(_rest()) | {
            FOLDER / "Makefile": TREE / "Makefile",
            FOLDER / ".gitignore": TREE / "gitignore",
        }),
        Patch("mm/mmu_notifier_rust: add KUnit tests", """\
They take what needs no process through its states: the collision-retry
protocol, the lists, the counts, the slots up to the last one, and changes
of mode. Shorter ones are at the bottom of the files that they test.""", edits=(
            Insert("mm/Kconfig", "config KSM", _KUNIT, before=True),
        ), files=_sources(test_sources())),
        Patch("Documentation: mm: describe the MMU-notifier core in Rust", """\
What it is made of, its contexts and locks, where it differs from the one
in C, how it waits for readers, and how to see what it does.""", edits=(
            Insert("Documentation/mm/index.rst", "   mmu_notifier",
                   "   mmu_notifier_rust/index\n"),
        ), files={
            DOCUMENTS / "index.rst": TREE / "index.rst",
            DOCUMENTS / "core.rst": TOP / "Documentation/core.rst",
            DOCUMENTS / "grace-periods.rst": TOP / "Documentation/grace-periods.rst",
            DOCUMENTS / "observing.rst": TOP / "Documentation/observing.rst",
        }),
        Patch("MAINTAINERS: add the MMU-notifier core in Rust", """\
Its users are those of mm/mmu_notifier.c, so it goes to the same list. It
is without a maintainer until somebody has taken it on.""", edits=(
            Insert("MAINTAINERS", "MN88472 MEDIA DRIVER", _MAINTAINERS, before=True),
        )),
    )
