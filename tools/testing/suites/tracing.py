# SPDX-License-Identifier: GPL-2.0
"""Tracepoints and debugfs tell what the core does, and nothing while nobody asks."""

import sys
from collections import Counter, defaultdict
from pathlib import Path

_TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_TESTING / "selftests/mmu_notifier"), str(_TESTING / "observing")]

import core  # noqa: E402
import files  # noqa: E402
import notifier_tests  # noqa: E402
import scripts  # noqa: E402
import trace  # noqa: E402
from talk import Talk  # noqa: E402

TITLE = "tracepoints and debugfs tell what the core does"
ORDER = 34
TIMEOUT = 1200

_PAGE = 4096
_AREA = 8
_TIMES = 3
_PARAMETERS = f"/sys/module/{core.NAME}/parameters"
_FILES = {"subscriptions": "400", "totals": "400", "mode": "400", "stuck": "400",
          "accounting": "600"}
# Which test brings about which aging event, with answers of both kinds.
_AGING = {
    "mmn_clear_flush_young": "young.two_lists.reclaim",
    "mmn_clear_young": "young.generations.reclaim",
    "mmn_test_young": "young.generations.test_young",
}
# What each callback's event says beside whose it is.
_RANGE = {"mm", "subscription", "callback", "start", "end", "event", "blockable", "ret", "duration"}
_PAGES = _RANGE - {"event", "blockable"}
_SUBSCRIPTION = {"mm", "subscription", "callback"}
_FIELDS = {
    "mmn_register": _SUBSCRIPTION, "mmn_unregister": _SUBSCRIPTION, "mmn_put": _SUBSCRIPTION,
    "mmn_free": _SUBSCRIPTION, "mmn_insert": _SUBSCRIPTION | {"start", "end"},
    "mmn_remove": _SUBSCRIPTION | {"start", "end"},
    "mmn_range_start": _RANGE, "mmn_range_end": _RANGE, "mmn_invalidate": _RANGE,
    "mmn_invalidate_finish": _RANGE, "mmn_secondary_tlbs": _PAGES,
    "mmn_clear_flush_young": _PAGES, "mmn_clear_young": _PAGES, "mmn_test_young": _PAGES,
    "mmn_release": _SUBSCRIPTION | {"duration"}, "mmn_wait_begin": {"mm", "for"},
    "mmn_wait_end": {"mm", "for", "duration"},
    "mmn_blocked": {"mm", "for", "reader", "comm", "callback"},
    "mmn_mm_lock": {"mm", "vmas", "locks", "native", "ret", "duration"}, "mmn_mode": {"mode"},
}


def run(check):
    tests = notifier_tests.built()
    # Each switch of a tracepoint patches code.
    with check.guest("guest", **notifier_tests.guest_of(tests), parallel=False) as vm:
        notifier_tests.prepare(vm)
        seen = Counter()
        with Talk(check, vm, "observed", "life", "rust", "adopted.") as program:
            pid, _ = _subscribed(program)
            core.take_over(vm)
            with check.test("adopted", "rust"):
                _unknown(vm, pid)
            _to_the_end(program)
        with check.test("files", "rust"):
            _files(vm)
        _nothing_unless_asked(check, vm)
        _life(check, vm, seen)
        _young(check, vm, seen)
        _stuck(check, vm, seen)
        _run(check, vm, "observed", "-t readers", "readers.")
        _end(check, vm, seen)
        check.count_takeovers(1)


def _subscribed(program):
    pid, area = program.wait("subscribed ").split()
    return int(pid), int(area, 16)


def _to_the_end(program):
    program.say("change")
    program.wait("changed")
    program.say("end")
    program.wait("again")
    program.say("end")


def _unknown(vm, pid):
    """Of a subscription that C has, or had, nobody knows the age, and nothing of calls."""
    rows = files.subscriptions(vm, pid).values()
    assert len(rows) >= 3, rows
    for row in rows:
        unknown = {row[name] for name in ("age_ns", "calls", "time_ns", "worst_ns")}
        assert unknown == {"-"}, row


def _files(vm):
    there = dict(reversed(line.split(" ", 1)) for line in vm.run(
        f"cd {files.FOLDER} && stat -c '%a %n' *", check=True).output.splitlines())
    assert there == _FILES, there
    assert files.rows(vm, "mode") == [{"mode": "native", "accounting": "0", "tracing": "0"}]
    for wrong in ("2", "-1", "x"):
        result = vm.run(f"echo {wrong} > {files.FOLDER}/accounting")
        assert result.status != 0, f"accounting took {wrong}"
    assert vm.read(f"{files.FOLDER}/accounting") == "0\n"


def _nothing_unless_asked(check, vm):
    with check.test("nothing_unless_asked", "rust"):
        assert trace.names(vm) == {*_FIELDS}, trace.names(vm)
        _formats(vm)
        trace.switch(vm, True)
        assert files.rows(vm, "mode")[0]["tracing"] == "1"
        trace.switch(vm, False)
        assert files.rows(vm, "mode")[0]["tracing"] == "0"
        before = len(trace.read(vm))
        with Talk(check, vm, "observed", "life", "rust", "unasked.") as program:
            pid, _ = _subscribed(program)
            counted = {row["calls"] for row in files.subscriptions(vm, pid).values()}
            assert counted == {"-"}, counted
            _to_the_end(program)
        assert len(trace.read(vm)) == before


def _formats(vm):
    """Tools can evaluate what the events record, and the scripts use nothing else."""
    formats = trace.formats(vm)
    assert formats.keys() == _FIELDS.keys(), formats
    for name, text in formats.items():
        assert "MMU_NOTIFY_" not in text, f"a name of C in {name}: {text}"
    used = scripts.used()
    assert used
    for (script, event), fields in used.items():
        unknown = fields - trace.recorded(formats[event])
        assert not unknown, f"{script} uses {unknown} of {event}"


def _life(check, vm, seen):
    trace.switch(vm, True)
    vm.write(f"{files.FOLDER}/accounting", "1")
    with Talk(check, vm, "observed", "life", "rust") as program:
        pid, area = _subscribed(program)
        with check.test("subscriptions", "rust"):
            before = files.subscriptions(vm, pid)
            _listed(vm, before, area)
        program.say("change")
        first = program.wait("before ").split()
        program.wait("changed")
        after = files.subscriptions(vm, pid)
        totals = files.totals(vm)
        program.say("end")
        last = program.wait("after ").split()
        with check.test("counts", "rust"):
            _counts(before, after, area, first, last, totals)
        program.wait("again")
        with check.test("begins_anew", "rust"):
            _begins_anew(vm, pid, after)
        program.say("end")
    events = trace.read(vm)
    trace.switch(vm, False)
    vm.write(f"{files.FOLDER}/accounting", "0")
    with check.test("events", "rust"):
        _expect_fields(events)
        _events([event for event in events if event.tid == pid], area)
    with check.test("counts_and_events_agree", "rust"):
        _agree(events, pid, before, after)
    seen.update(event.name for event in events)


def _places(area):
    """How the five subscriptions of the program are found: kind and start."""
    return ("interval", hex(area)), ("interval", hex(area + 4 * _PAGE))


def _whole(rows, callback):
    """Of the file as it is, the first of the driver's with this callback."""
    return next(row for row in rows if row["kind"] == "whole" and row["callback"] == callback)


def _all(vm, pid):
    return [row for row in files.rows(vm, "subscriptions") if row["pid"] == str(pid)]


def _listed(vm, rows, area):
    one, two = _places(area)
    assert rows[one]["end"] == hex(area + 2 * _PAGE), rows[one]
    assert rows[two]["end"] == hex(area + 5 * _PAGE), rows[two]
    assert rows[one]["callback"] == "mnt_op_invalidate", rows[one]
    assert rows[two]["callback"] == "mnt_op_invalidate_start", rows[two]
    pid = rows[one]["pid"]
    there = _all(vm, pid)
    whole = Counter(row["callback"] for row in there if row["kind"] == "whole")
    assert whole == {"mnt_op_range_start": 2, "mnt_op_secondary_tlbs": 1}, whole
    assert len(there) == 5 and len({row["id"] for row in there}) == 5, there
    assert len({row["mm"] for row in there}) == 1, there
    for row in there:
        assert (row["module"], row["comm"]) == ("mmu_notifier_test", "observed"), row
        assert int(row["age_ns"]) < 600e9, row
    totals = files.totals(vm)
    assert (totals["processes"], totals["whole"], totals["intervals"]) == ("1", "3", "2"), totals


def _counts(before, after, area, first, last, totals):
    one, two = _places(area)
    for number, place in (1, one), (2, two):
        called = int(after[place]["calls"]) - int(before[place]["calls"])
        least, most = _TIMES, int(last[number]) - int(first[number])
        assert least <= called == most, f"{called} calls, the driver had {most}"
        assert int(after[place]["worst_ns"]) <= int(after[place]["time_ns"]), after[place]
        assert int(after[place]["time_ns"]) > 0, after[place]
    assert int(totals["calls"]) >= sum(int(row["calls"]) for row in after.values()), totals
    assert int(totals["worst_ns"]) >= max(int(row["worst_ns"]) for row in after.values()), totals


def _begins_anew(vm, pid, after):
    rows = _all(vm, pid)
    assert len(rows) == 1, rows
    most = max(int(row["calls"]) for row in after.values() if row["kind"] == "whole")
    assert most > int(rows[0]["calls"]), f"{rows[0]['calls']} calls of a new one, {most} before"


def _expect_fields(events):
    for event in events:
        assert {*event.fields} == _FIELDS[event.name], event
        assert int(event.fields.get("duration", 0)) >= 0, event


def _named(events, name, **fields):
    return [event for event in events if event.name == name and
            all(event.fields[field] == value for field, value in fields.items())]


def _events(events, area):
    """What the program's own thread came by."""
    # Register, get, and the one that begins anew.
    assert len(_named(events, "mmn_register")) == 4
    assert len(_named(events, "mmn_register", callback="mnt_op_range_start [mmu_notifier_test]")) == 3
    locks = _named(events, "mmn_mm_lock", native="1", ret="0")
    assert locks and all(int(lock.vmas) > 0 and int(lock.locks) > 0 for lock in locks), locks
    assert len(_named(events, "mmn_mm_lock", native="1", ret="-4")) == 1
    for name in "mmn_insert", "mmn_remove":
        found = {(event.start, event.end) for event in _named(events, name)}
        assert found == {(hex(area), hex(area + 2 * _PAGE)),
                         (hex(area + 4 * _PAGE), hex(area + 5 * _PAGE))}, found
    whole = {"start": hex(area), "end": hex(area + _AREA * _PAGE), "event": "clear",
             "blockable": "1", "ret": "0"}
    # Two of them take ranges.
    assert len(_named(events, "mmn_range_start", **whole)) == 2 * _TIMES
    assert len(_named(events, "mmn_range_end", **whole)) == 2 * _TIMES
    assert len(_named(events, "mmn_invalidate", **whole)) == 2 * _TIMES
    assert len(_named(events, "mmn_invalidate_finish", **whole)) == _TIMES
    protected = {"start": hex(area + _PAGE), "end": hex(area + 2 * _PAGE)}
    assert _named(events, "mmn_range_start", event="protection_vma", **protected)
    flushes = _named(events, "mmn_secondary_tlbs")
    assert any(int(event.start, 16) <= area + _PAGE < int(event.end, 16) for event in flushes)
    assert len(_named(events, "mmn_release")) == 2
    assert len(_named(events, "mmn_unregister")) == 3
    assert len(_named(events, "mmn_put")) == 1
    begun, ended = (_named(events, f"mmn_wait_{name}", **{"for": "list"})
                    for name in ("begin", "end"))
    assert len(begun) == len(ended) == 3, events
    order = [event.name for event in events if event.name in ("mmn_wait_begin", "mmn_wait_end")]
    assert order == ["mmn_wait_begin", "mmn_wait_end"] * 3, order


def _agree(events, pid, before, after):
    """Of a subscription, both tell the same number of calls."""
    freed = _named(events, "mmn_free")
    assert len(freed) == 1, freed
    changes = ("mmn_register", "mmn_insert", "mmn_unregister", "mmn_remove", "mmn_put")
    removed = next(n for n, event in enumerate(events)
                   if event.tid == pid and event.name == "mmn_remove")
    for row in after.values():
        told = sum(event.fields.get("subscription") == row["id"] and event.name not in changes
                   for event in events[:removed])
        assert told == int(row["calls"]), f"{told} events, {row}"


def _young(check, vm, seen):
    for name, test in _AGING.items():
        # Aging is told of so often that all events at once would fill the buffer.
        trace.switch(vm, True, name)
        _run(check, vm, "young", f"-r {test}", f"{name}.")
        events = trace.read(vm)
        trace.switch(vm, False, name)
        with check.test(f"{name}.answers", "rust"):
            _expect_fields(events)
            answers = Counter(event.ret for event in _named(events, name))
            assert {*answers} == {"0", "1"} and answers.total() == len(events), answers
        seen.update(event.name for event in events)


def _run(check, vm, program, choice, prefix=""):
    # The guest's processors take turns, and each event costs.
    end = vm.run(f"MNT_PATIENCE=4 exec {program} {choice}", 400)
    notifier_tests.report(check, end, program, "rust", prefix)


def _stuck(check, vm, seen):
    vm.write(f"{_PARAMETERS}/stuck_after", "1")
    trace.switch(vm, True)
    for test, callback, kind in ("of_lists", "mnt_op_range_start", "whole"), \
            ("of_intervals", "mnt_op_invalidate", "interval"):
        # By who is stuck: one thread may be so both times.
        blocked = defaultdict(set)
        with Talk(check, vm, "stuck_callbacks", test, "rust", f"{test}.") as program:
            for which in "first", "second":
                stuck, waiting = program.stuck()
                blocked[stuck].update(waiting)
                with check.test(f"stuck.{test}.{which}", "rust"):
                    core.wait_until(vm, lambda: files.rows(vm, "stuck"), 30)
                    _expect_stuck(files.rows(vm, "stuck"), stuck, waiting, callback, kind)
                    assert files.totals(vm)["stuck"] == "1"
                program.say("open")
                program.wait("opened")
        with check.test(f"stuck.{test}.blocked", "rust"):
            events = trace.read(vm)
            for stuck, waiting in blocked.items():
                _expect_blocked(events, stuck, waiting, callback)
        with check.test(f"stuck.{test}.over", "rust"):
            assert not files.rows(vm, "stuck"), files.rows(vm, "stuck")
    seen.update(event.name for event in trace.read(vm))
    trace.switch(vm, False)
    vm.write(f"{_PARAMETERS}/stuck_after", "0")


def _expect_stuck(rows, stuck, waiting, callback, kind):
    assert len(rows) == 1, rows
    row = rows[0]
    assert (row["tid"], row["kind"], row["callback"]) == (str(stuck), kind, callback), row
    assert (row["module"], row["comm"]) == ("mmu_notifier_test", "stuck_callbacks"), row
    assert row["for_pid"] == row["pid"], row
    assert int(row["age_ns"]) >= 1e9, row
    assert {*row["waiting"].split(",")} == {str(tid) for tid in waiting}, f"{row}: {waiting}"


def _expect_blocked(events, stuck, waiting, callback):
    blocked = {event.tid for event in _named(events, "mmn_blocked", reader=str(stuck))
               if event.callback.startswith(callback)}
    assert blocked == waiting, f"{blocked}, waiting are {waiting}"
    for tid in waiting:
        ends = [event for event in _named(events, "mmn_wait_end") if event.tid == tid]
        assert any(int(event.duration) >= 1e9 for event in ends), ends


def _end(check, vm, seen):
    """It does not go while somebody looks, and leaves nothing behind."""
    trace.switch(vm, True)
    vm.write(f"{files.FOLDER}/accounting", "1")
    with Talk(check, vm, "observed", "life", "rust", "given_back.") as program:
        pid, _ = _subscribed(program)
        vm.write(f"/sys/kernel/livepatch/{core.NAME}/enabled", "0")
        core.wait_for(vm, "c")
        with check.test("given_back", "c"):
            _unknown(vm, pid)
        _to_the_end(program)
    with check.test("mode_event", "rust"):
        events = trace.read(vm)
        assert [event.mode for event in _named(events, "mmn_mode")] == ["compatible"], events
        assert files.rows(vm, "mode") == [
            {"mode": "compatible", "accounting": "1", "tracing": "1"}]
        seen.update(event.name for event in events)
    with check.test("every_event_was_seen", "rust"):
        missing = {*_FIELDS} - {*seen}
        assert not missing, f"not seen: {missing}"
    with check.test("an_open_file_holds_the_module", "rust"):
        _held(vm)
    core.unload(vm)
    with check.test("nothing_left", "c"):
        left = vm.run(f"ls -d {files.FOLDER} {trace.SYSTEM} 2>/dev/null").output
        assert not left, left


def _held(vm):
    """An open file is what holds the module, and the only thing."""
    counted = f"/sys/module/{core.NAME}/refcnt"
    # livepatch drops its reference to the module just after its directory.
    core.wait_until(vm, lambda: vm.read(counted) == "0\n")
    result = vm.run(f"exec 3< {files.FOLDER}/mode && cat {counted} && ! rmmod {core.NAME} 2>&1")
    assert result.status == 0, f"no file, or unloaded under its reader: {result.output}"
    count, said = result.output.split("\n", 1)
    # EWOULDBLOCK, in the words of busybox.
    refused = "temporarily unavailable" in said
    assert (count, refused) == ("1", True), result.output
