# SPDX-License-Identifier: GPL-2.0
"""Whether two cores told the same.

Equal must be, in each step of a program:

- what the program saw itself: results of system calls, sequences, retries, states;
- for each subscription, all that it was told, in order; and in each thread, what its commands
  returned as well, in order with what it was told there. (A command that had to wait returns while
  another thread goes on to the next range.)
- the order of all callbacks, whoever they were for. Left out of it are the frees, which may come
  any time after their put, and the returns of commands, which may have waited for what the others
  were told. Nothing else is left to a core: intervals are called in the order of the tree, lists
  from the newest on, and at an end only lists are called, so that it does not show which of the two
  a core ends first.

Flushes of a TLB that follow each other count as one, with what is between them: the VM flushes what
it has collected so far whenever it makes room for another task, which comes by the clock, and goes
on with the next page that is there.
"""

from itertools import zip_longest

_ANY_TIME = ("free", "returned")
_MOST = 3


def of_programs(c, rust):
    """Returns {name: [difference]} of two lists of records; empty if all are equal."""
    found = {}
    for one, other in zip_longest(c, rust):
        if one is None or other is None or one.name != other.name:
            names = [program.name if program else "nothing" for program in (one, other)]
            found[names[0]] = [f"C ran {names[0]}, Rust {names[1]}"]
            return found
        if different := of_program(one, other):
            found[one.name] = different
    return found


def of_program(c, rust):
    """Returns what differs, as lines of text, beginning where it differs first."""
    found = []
    for one, other in zip_longest(c.steps, rust.steps):
        if one is None or other is None:
            found.append(f"step {(one or other).name}: only {'Rust' if one is None else 'C'} "
                         "came to it")
            break
        found += [f"step {one.name}: {text}" for text in _of_step(one, other)]
    return found


def _of_step(c, rust):
    yield from _of_rows("", c.lines, rust.lines)
    told_by = [_with_flushes_joined(step.events) for step in (c, rust)]
    subscriptions = sorted({event.subscription for events in told_by for event in events})
    told = False
    for subscription in subscriptions:
        rows = [[event for event in events if event.subscription == subscription]
                for events in told_by]
        different = _of_subscription(f"subscription {subscription[1]}: ", *rows)
        told = told or bool(different)
        yield from different
    if not told:
        rows = [[event for event in events if event.hook not in _ANY_TIME] for events in told_by]
        yield from _of_rows("order: ", *rows)


def _of_subscription(prefix, c, rust):
    told = [[event for event in row if event.hook != "returned"] for row in (c, rust)]
    if different := list(_of_rows(prefix, *told)):
        return different
    for thread in sorted({event.thread for event in (*c, *rust)}):
        different += _of_rows(f"{prefix}thread {thread}: ",
                              *([event for event in row if event.thread == thread]
                                for row in (c, rust)))
    return different


def _with_flushes_joined(events):
    joined = []
    last = {}
    for event in events:
        if event.hook == "secondary_tlbs":
            at = last.get(event.subscription)
            if at is not None and joined[at].end <= event.start and \
                    joined[at]._replace(start=0, end=0) == event._replace(start=0, end=0):
                joined[at] = joined[at]._replace(end=event.end)
                continue
            last[event.subscription] = len(joined)
        elif event.hook in _ANY_TIME:
            last.pop(event.subscription, None)
        else:
            last = {}
        joined.append(event)
    return joined


def _of_rows(prefix, c, rust):
    for number, (one, other) in enumerate(zip_longest(c, rust)):
        if one != other:
            yield (f"{prefix}{number}: C {'nothing' if one is None else one}; "
                   f"Rust {'nothing' if other is None else other}")
            return


def kinds(program):
    """What was told, whatever the order, the number and the place; for what comes by itself."""
    return {(event.hook, event.event if event.hook != "returned" else None, event.blockable,
             event.owned, event.ret) for event in program.events if event.hook not in _ANY_TIME}


def of_kinds(c, rust):
    """Returns which kinds of events only one of them has told."""
    one, other = kinds(c), kinds(rust)
    return [f"only {core} told {kind}" for core, only in (("C", one - other), ("Rust", other - one))
            for kind in sorted(only, key=str)]


def brief(different):
    """The first few, for a line of a report."""
    return "; ".join(different[:_MOST]) + (f"; {len(different) - _MOST} more"
                                           if len(different) > _MOST else "")
