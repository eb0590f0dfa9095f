# SPDX-License-Identifier: GPL-2.0 OR MIT
"""Sets of events and relations between them, as bits.

A set is a number: bit i stands for event i. A relation is a tuple of such sets: that at i holds the
successors of event i.
"""

from itertools import count


def bits(row):
    """The numbers of the bits that are set."""
    while row:
        low = row & -row
        yield low.bit_length() - 1
        row ^= low


def from_pairs(size, pairs):
    rows = [0] * size
    for a, b in pairs:
        rows[a] |= 1 << b
    return tuple(rows)


def pairs(relation):
    return [(a, b) for a, row in enumerate(relation) for b in bits(row)]


def identity(size, only):
    return tuple(1 << i & only for i in range(size))


def product(size, left, right):
    return tuple(right if left >> i & 1 else 0 for i in range(size))


def compose(left, right):
    """`left ; right`"""
    rows = []
    for row in left:
        reached = 0
        while row:
            low = row & -row
            reached |= right[low.bit_length() - 1]
            row ^= low
        rows.append(reached)
    return tuple(rows)


def inverse(relation):
    return from_pairs(len(relation), ((b, a) for a, b in pairs(relation)))


def closure(relation):
    """`relation+`"""
    rows = list(relation)
    for via in range(len(rows)):
        reached = rows[via]
        if reached:
            bit = 1 << via
            for i, row in enumerate(rows):
                if row & bit:
                    rows[i] = row | reached
    return tuple(rows)


def reflexive(relation):
    """`relation?`"""
    return tuple(row | 1 << i for i, row in enumerate(relation))


def domain(relation):
    return sum(1 << i for i, row in enumerate(relation) if row)


def image(relation):
    all_of_it = 0
    for row in relation:
        all_of_it |= row
    return all_of_it


def is_irreflexive(relation):
    return not any(row >> i & 1 for i, row in enumerate(relation))


def is_acyclic(relation):
    return is_irreflexive(closure(relation))


def single_steps(order):
    """The pairs of a strict order between which there is nothing."""
    rows = compose(order, order)
    return tuple(row & ~via for row, via in zip(order, rows))


def linear_orders(order, members):
    """Every total strict order of `members`, as a relation, that a partial one allows."""
    if not members:
        yield (0,) * len(order)
        return
    for first in bits(members):
        rest = members & ~(1 << first)
        if any(order[other] >> first & 1 for other in bits(rest)):
            continue
        for tail in linear_orders(order, rest):
            yield tuple(rest if i == first else row for i, row in zip(count(), tail))
