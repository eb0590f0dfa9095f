# SPDX-License-Identifier: GPL-2.0 OR MIT
"""What one thread of a litmus test can do, whatever its reads return."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Address:
    """The value of a pointer."""

    name: str


@dataclass
class Event:
    kind: str  # R W F IW SRCU, and LKR LKW UL LF RL RU of spinlocks
    tag: str = ""
    place: str = ""
    value: object = 0
    is_rmw: bool = False


@dataclass
class Trace:
    """One way through a thread. Dependencies and `rmw` are pairs of indices into `events`."""

    events: list = field(default_factory=list)
    registers: dict = field(default_factory=dict)
    addr: set = field(default_factory=set)
    data: set = field(default_factory=set)
    ctrl: set = field(default_factory=set)
    rmw: set = field(default_factory=set)


def traces(body, globals_, domains):
    """Every trace of a thread whose reads of a place return one of the values in its domain."""
    prefixes = [[]]
    while prefixes:
        run = _Run(globals_, domains, prefixes.pop())
        run.block(body)
        yield run.trace
        prefixes += run.untried


@dataclass(frozen=True)
class _Value:
    """A value, and the reads that it comes from."""

    it: object
    reads: frozenset = frozenset()


_NUMBER = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "&": lambda a, b: a & b,
    "|": lambda a, b: a | b, "^": lambda a, b: a ^ b, "&~": lambda a, b: a & ~b,
    "<": lambda a, b: int(a < b), ">": lambda a, b: int(a > b),
    "<=": lambda a, b: int(a <= b), ">=": lambda a, b: int(a >= b),
    "==": lambda a, b: int(a == b), "!=": lambda a, b: int(a != b),
    "&&": lambda a, b: int(bool(a) and bool(b)), "||": lambda a, b: int(bool(a) or bool(b)),
}


class _Run:
    def __init__(self, globals_, domains, prefix):
        self.trace = Trace()
        self.untried = []
        self._registers = {name: _Value(Address(name)) for name in globals_}
        self._domains = domains
        self._choices = prefix
        self._chosen = 0
        self._ctrl = frozenset()

    def _choose(self, options):
        if self._chosen == len(self._choices):
            self.untried += [[*self._choices, n] for n in range(1, len(options))]
            self._choices = [*self._choices, 0]
        self._chosen += 1
        return options[self._choices[self._chosen - 1]]

    def block(self, statements):
        for statement in statements:
            kind, *parts = statement
            if kind == "do":
                self._value(parts[0])
            elif kind == "assign":
                self._assign(*parts)
            else:
                self._if(*parts)

    def _assign(self, target, expression):
        value = self._value(expression)
        if target[0] == "deref":
            self._store("", target, value)
        else:
            self._registers[target[1]] = value
            self.trace.registers[target[1]] = value.it

    def _if(self, condition, yes, no):
        value = self._value(condition)
        outside = self._ctrl
        # It reaches to the end of the arm and no further, as in the model's documentation.
        self._ctrl |= value.reads
        self.block(yes if value.it else no)
        self._ctrl = outside

    def _value(self, expression):
        kind, *parts = expression
        if kind == "number":
            return _Value(parts[0])
        if kind == "name":
            return self._registers[parts[0]]
        if kind == "deref":
            return self._load("", expression)
        if kind == "infix":
            operator, left, right = parts
            left, right = self._value(left), self._value(right)
            return _Value(_NUMBER[operator](left.it, right.it), left.reads | right.reads)
        if kind == "block":
            self.block(parts[0])
            return _Value(0)
        operation, tag, arguments = parts
        return getattr(self, f"_{operation}")(tag, *arguments) or _Value(0)

    def _event(self, kind, tag="", where=_Value(""), value=_Value(0), is_rmw=False):
        place = where.it.name if where.it else ""
        self.trace.events.append(Event(kind, tag, place, value.it, is_rmw))
        me = len(self.trace.events) - 1
        self.trace.addr |= {(read, me) for read in where.reads}
        self.trace.data |= {(read, me) for read in value.reads}
        self.trace.ctrl |= {(read, me) for read in self._ctrl}
        return me

    def _read(self, tag, where, is_rmw=False):
        it = self._choose(self._domains[where.it.name])
        return _Value(it, frozenset({self._event("R", tag, where, _Value(it), is_rmw)}))

    def _update(self, tag, pointer, new):
        """A read-modify-write: `new(old)` is the value to write, or None not to."""
        where = self._value(pointer)
        old = self._read(tag, where, True)
        value = new(old)
        if value is not None:
            read, = old.reads
            self.trace.rmw.add((read, self._event("W", tag, where, value, True)))
        return old, value

    # The primitives of linux-kernel.def.

    def _load(self, tag, target):
        return self._read(tag, self._value(target[1]))

    def _store(self, tag, target, value):
        value = value if isinstance(value, _Value) else self._value(value)
        self._event("W", tag, self._value(target[1]), value)

    def _fence(self, tag):
        self._event("F", tag)

    def _srcu(self, tag, pointer):
        self._event("SRCU", tag, self._value(pointer))

    def _xchg(self, tag, pointer, value):
        value = self._value(value)
        return self._update(tag, pointer, lambda _: value)[0]

    def _cmpxchg(self, tag, pointer, expected, value):
        expected, value = self._value(expected), self._value(value)
        return self._update(tag, pointer,
                            lambda old: value if old.it == expected.it else None)[0]

    def _atomic_fetch_op(self, tag, pointer, operator, operand):
        return self._arithmetic(tag, pointer, operator, operand)[0]

    def _atomic_op_return(self, tag, pointer, operator, operand):
        return self._arithmetic(tag, pointer, operator, operand)[1]

    def _atomic_op(self, tag, pointer, operator, operand):
        self._arithmetic(tag, pointer, operator, operand)

    def _arithmetic(self, tag, pointer, operator, operand):
        operand = self._value(operand)
        return self._update(tag, pointer, lambda old: _Value(
            _NUMBER[operator[1]](old.it, operand.it), old.reads | operand.reads))

    def _atomic_add_unless(self, tag, pointer, operand, unless):
        operand, unless = self._value(operand), self._value(unless)
        old, _ = self._update(tag, pointer, lambda old: None if old.it == unless.it else _Value(
            old.it + operand.it, old.reads | operand.reads))
        return _Value(int(old.it != unless.it), old.reads)

    def _lock(self, _, pointer):
        where = self._value(pointer)
        self._event("LKR", "", where)
        self._event("LKW", "", where)

    def _unlock(self, _, pointer):
        self._event("UL", "", self._value(pointer))

    def _trylock(self, _, pointer):
        if not self._choose((1, 0)):
            return _Value(0, frozenset({self._event("LF", "", self._value(pointer))}))
        self._lock(_, pointer)
        return _Value(1, frozenset({len(self.trace.events) - 2}))

    def _islocked(self, _, pointer):
        locked = self._choose((0, 1))
        read = self._event("RL" if locked else "RU", "", self._value(pointer))
        return _Value(locked, frozenset({read}))
