# SPDX-License-Identifier: GPL-2.0 OR MIT
"""Applies a model in `cat` to a candidate execution.

Values are sets of events (int), relations (tuple, see relation.py), lists of either, single events
or pairs (Element), functions, and None: the empty set and the empty relation alike. What a `let`
binds is computed when it is asked for first; what `flag`s say, only of executions that the model
allows.
"""

from itertools import product as choices

import relation
from cat_parser import CatError


class _Later:
    """A value that is not computed yet."""

    def __init__(self, compute):
        self._compute = compute

    def value(self):
        if self._compute is not None:
            self._value, self._compute = self._compute(), None
        return self._value


class Element:
    """An event, by its number, or a pair of them."""

    def __init__(self, what):
        self.what = what


def _is_empty(value):
    return not value if not isinstance(value, tuple) else not any(value)


def _same(a, b):
    return a == b or (_is_empty(a) and _is_empty(b))


def _union(a, b):
    if a is None or b is None:
        return b if a is None else a
    return a | b if isinstance(a, int) else tuple(x | y for x, y in zip(a, b))


class Model:
    """A model's statements; `load(name)` gives those of a file that they include."""

    def __init__(self, statements, variants, load):
        self._statements = list(self._included(statements, load))
        self._variants = variants

    def _included(self, statements, load):
        for statement in statements:
            if statement[0] == "include":
                yield from self._included(load(statement[1]), load)
            else:
                yield statement

    def executions(self, size, environment):
        """The executions that the model allows: an environment and the set of flags for each."""
        evaluator = _Evaluator(size, self._variants)
        environment = evaluator.builtins(environment) | environment
        for end, flags in evaluator.run(self._statements, environment, []):
            yield (lambda name, at=end: evaluator.lookup(name, at)), \
                {label for label, holds in flags if holds()}


class _Evaluator:
    def __init__(self, size, variants):
        self._size = size
        self._everything = (1 << size) - 1
        self._variants = variants

    def builtins(self, base):
        """What herd7 defines before it reads a model, given the basic sets and relations."""
        po, loc, int_ = base["po"], base["loc"], base["int"]
        size = self._size

        def both(a, b):
            return tuple(x & y for x, y in zip(a, b))

        def fencerel(fences):
            fences = relation.identity(size, fences or 0)
            return relation.compose(relation.compose(po, fences), po)

        def cross(sets):
            for chosen in choices(*sets):
                united = None
                for part in chosen:
                    united = _union(united, part)
                yield united

        def orders(members):
            """Every order that is total on the members of each location."""
            def extend(partial):
                partial = partial or (0,) * size
                by_place = {loc[event] & members for event in relation.bits(members)}
                yield from cross([list(relation.linear_orders(partial, place))
                                  for place in by_place])
            return extend

        return {
            "id": relation.identity(size, self._everything),
            "ext": tuple(self._everything & ~row for row in int_),
            "po-loc": both(po, loc),
            "rfi": both(base["rf"], int_),
            "rfe": tuple(row & ~inside for row, inside in zip(base["rf"], int_)),
            "emptyset": None,
            "domain": lambda r: None if r is None else relation.domain(r),
            "range": lambda r: None if r is None else relation.image(r),
            "singlestep": lambda r: None if r is None else relation.single_steps(r),
            "fencerel": fencerel,
            "cross": cross,
            "orders-by-location": orders,
            "map": lambda function: lambda over: [function(e) for e in self._elements(over)],
        }

    @staticmethod
    def _elements(value):
        if value is None:
            return []
        found = relation.bits(value) if isinstance(value, int) else relation.pairs(value)
        return [Element(what) for what in found]

    def run(self, statements, env, flags):
        for at, statement in enumerate(statements):
            kind = statement[0]
            if kind in ("let", "rec"):
                env = self._bind(statement, env)
            elif kind == "enum":
                tags = {tag[0].upper() + tag[1:]: None for tag in statement[1]}
                env = tags | env
            elif kind == "check":
                _, is_flag, *check, label = statement
                if is_flag:
                    flags = [*flags, (label, lambda c=check, e=env: self._holds(*c, e))]
                elif not self._holds(*check, env):
                    return
            elif kind == "with":
                _, name, source = statement
                for chosen in self.value(source, env):
                    yield from self.run(statements[at + 1:], {**env, name: chosen}, flags)
                return
        yield env, flags

    def _holds(self, negated, check, body, env):
        value = self.value(body, env)
        if check == "empty":
            holds = _is_empty(value)
        elif value is None:
            holds = True
        elif check == "acyclic":
            holds = relation.is_acyclic(value)
        else:
            holds = relation.is_irreflexive(value)
        return holds != negated

    def _bind(self, statement, env):
        kind, bindings = statement
        if kind == "rec":
            return self._fixed_point(bindings, env)
        return {**env, **{name: _Later(lambda body=body: self.value(body, env))
                          for name, body in bindings}}

    def _fixed_point(self, bindings, env):
        """The least solution, approached from below; each equation sees the ones before it."""
        env = {**env, **{name: None for name, _ in bindings}}
        while True:
            changed = False
            for name, body in bindings:
                value = self.value(body, env)
                changed |= not _same(env[name], value)
                env = {**env, name: value}
            if not changed:
                return env

    @staticmethod
    def lookup(name, env):
        if name not in env:
            raise CatError(f"{name} is not defined")
        value = env[name]
        return value.value() if isinstance(value, _Later) else value

    def value(self, expression, env):
        kind, *operands = expression
        return getattr(self, f"_on_{kind}")(env, *operands)

    def _on_name(self, env, name):
        return self.lookup(name, env)

    def _on_none(self, _):
        return None

    def _on_all(self, _):
        return self._everything

    def _on_local(self, env, bound, body):
        return self.value(body, self._bind(bound, env))

    def _on_try(self, env, first, second):
        try:
            return self.value(first, env)
        except CatError:
            return self.value(second, env)

    def _on_variant(self, env, variant, yes, no):
        return self.value(yes if variant in self._variants else no, env)

    def _on_function(self, env, parameter, body):
        return lambda argument: self.value(body, {**env, parameter: argument})

    def _on_call(self, env, function, argument):
        return self.value(function, env)(self.value(argument, env))

    def _on_singleton(self, env, body):
        return 1 << self.value(body, env).what

    def _on_identity(self, env, body):
        value = self.value(body, env)
        return None if value is None else relation.identity(self._size, value)

    def _on_union(self, env, left, right):
        return _union(self.value(left, env), self.value(right, env))

    def _on_add(self, env, left, right):
        element = self.value(left, env).what
        one = 1 << element if isinstance(element, int) else \
            relation.from_pairs(self._size, [element])
        return _union(one, self.value(right, env))

    def _on_compose(self, env, left, right):
        left = self.value(left, env)
        right = None if left is None else self.value(right, env)
        return None if right is None else relation.compose(left, right)

    def _on_minus(self, env, left, right):
        left, right = self.value(left, env), self.value(right, env)
        if left is None or right is None:
            return left
        return left & ~right if isinstance(left, int) else \
            tuple(a & ~b for a, b in zip(left, right))

    def _on_both(self, env, left, right):
        left, right = self.value(left, env), self.value(right, env)
        if left is None or right is None:
            return None
        return left & right if isinstance(left, int) else tuple(a & b for a, b in zip(left, right))

    def _on_product(self, env, left, right):
        left, right = self.value(left, env), self.value(right, env)
        return relation.product(self._size, left or 0, right or 0)

    def _on_not(self, env, body):
        value = self.value(body, env)
        if isinstance(value, tuple):
            return tuple(self._everything & ~row for row in value)
        return self._everything & ~(value or 0)  # the model complements nothing else that is empty

    def _on_inverse(self, env, body):
        value = self.value(body, env)
        return None if value is None else relation.inverse(value)

    def _on_plus(self, env, body):
        value = self.value(body, env)
        return None if value is None else relation.closure(value)

    def _on_star(self, env, body):
        value = self.value(body, env)
        return self._on_maybe(env, ("none",)) if value is None else \
            relation.reflexive(relation.closure(value))

    def _on_maybe(self, env, body):
        value = self.value(body, env)
        return relation.reflexive((0,) * self._size if value is None else value)
