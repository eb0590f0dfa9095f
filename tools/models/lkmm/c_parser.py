# SPDX-License-Identifier: GPL-2.0 OR MIT
"""Reads the C of litmus tests, and the macros of linux-kernel.def that say what it means.

Calls are replaced by what the macros make of them, until only primitives like `__load{ONCE}` are
left. A statement or expression is a tuple whose first item says what it is.
"""

import re

import tokens

_TOKEN = re.compile(r"""
    (?P<skip>\s+|//[^\n]*|/\*.*?\*/)
  | (?P<primitive>__\w+\{[\w-]*\}|__(?:lock|unlock|trylock|islocked)\b)
  | (?P<number>\d+)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<op>&&|\|\||==|!=|<=|>=|&~|[-+&|^<>!*=(){},;])
""", re.VERBOSE | re.DOTALL)
_TYPES = {"int", "long", "unsigned", "intptr_t", "atomic_t", "spinlock_t", "struct", "void"}
_INFIX = (("||",), ("&&",), ("|",), ("^",), ("&", "&~"), ("==", "!="), ("<", ">", "<=", ">="),
          ("+", "-"))
_ARITHMETIC = {"+", "-", "&", "|", "^", "&~"}


class CError(Exception):
    """The text is not of the part of C that is read here."""


class _Parser:
    def __init__(self, text):
        self._tokens = tokens.of(_TOKEN, text, CError)
        self._at = 0

    def _peek(self, ahead=0):
        return self._tokens[min(self._at + ahead, len(self._tokens) - 1)]

    def _take(self):
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _accept(self, text):
        return self._peek()[1] == text and bool(self._take())

    def _expect(self, text):
        if not self._accept(text):
            raise CError(f"{text!r} expected, found {self._peek()[1]!r}")

    def at_end(self):
        return self._peek()[0] == "end"

    def block(self):
        self._expect("{")
        statements = []
        while not self._accept("}"):
            statements += self._statement()
        return statements

    def _statement(self):
        if self._peek()[1] == "{":
            return self.block()
        if self._accept("if"):
            self._expect("(")
            condition = self.expression()
            self._expect(")")
            yes = self._statement()
            return [("if", condition, yes, self._statement() if self._accept("else") else [])]
        if self._peek()[1] in _TYPES:
            return self._declaration()
        target = self.expression()
        if self._accept("="):
            statement = ("assign", target, self.expression())
        else:
            statement = ("do", target)
        self._expect(";")
        return [statement]

    def _declaration(self):
        while self._peek()[1] in _TYPES or self._peek()[1] == "*":
            self._take()
        name = self._take()
        value = self.expression() if self._accept("=") else ("number", 0)
        self._expect(";")
        return [("assign", ("name", name), value)]

    def expression(self, level=0):
        if level == len(_INFIX):
            return self._unary()
        left = self.expression(level + 1)
        while self._peek()[1] in _INFIX[level]:
            left = ("infix", self._take(), left, self.expression(level + 1))
        return left

    def _unary(self):
        if self._accept("*"):
            return ("deref", self._unary())
        if self._accept("!"):
            return ("infix", "==", self._unary(), ("number", 0))
        if self._accept("-"):
            return ("infix", "-", ("number", 0), self._unary())
        if self._accept("("):
            if self._peek()[1] == "void":
                self._take()
                self._expect(")")
                return self._unary()
            inner = self.expression()
            self._expect(")")
            return inner
        kind, text = self._peek()
        self._take()
        if kind == "number":
            return ("number", int(text))
        if kind == "primitive":
            operation, _, tag = text.removeprefix("__").rstrip("}").partition("{")
            arguments = self._arguments() if self._peek()[1] == "(" else []
            return ("primitive", operation, tag, arguments)
        if kind != "name":
            raise CError(f"an expression expected, found {text!r}")
        return ("call", text, self._arguments()) if self._peek()[1] == "(" else ("name", text)

    def _arguments(self):
        self._expect("(")
        arguments = []
        while not self._accept(")"):
            if self._peek()[1] in _ARITHMETIC and self._peek(1)[1] == ",":
                arguments.append(("operator", self._take()))
            else:
                arguments.append(self.expression())
            if self._peek()[1] != ")":
                self._expect(",")
        return arguments


def parse_macros(text):
    """The macros of a .def file: name -> (parameters, body)."""
    macros = {}
    for line in text.splitlines():
        match = re.match(r"(\w+)\(([^)]*)\)\s*(\S.*)$", line)
        if not match:
            continue
        name, parameters, body = match.groups()
        parser = _Parser(body)
        meaning = ("block", parser.block()) if body.startswith("{") else parser.expression()
        macros[name] = ([p.strip() for p in parameters.split(",") if p.strip()], meaning)
    return macros


def parse_block(text, macros):
    """The statements of `{ ... }`, in terms of primitives."""
    parser = _Parser(text)
    statements = parser.block()
    if not parser.at_end():
        raise CError("text after the last brace")
    return _expanded(statements, macros)


def _expanded(node, macros):
    if isinstance(node, list):
        return [_expanded(part, macros) for part in node]
    if not isinstance(node, tuple):
        return node
    if node[0] == "call":
        _, name, arguments = node
        if name not in macros or len(macros[name][0]) != len(arguments):
            raise CError(f"no macro {name}() of {len(arguments)} arguments")
        parameters, body = macros[name]
        return _expanded(_replaced(body, dict(zip(parameters, arguments))), macros)
    return tuple(_expanded(part, macros) for part in node)


def _replaced(node, arguments):
    if isinstance(node, list):
        return [_replaced(part, arguments) for part in node]
    if not isinstance(node, tuple):
        return node
    if node[0] == "name" and node[1] in arguments:
        return arguments[node[1]]
    return tuple(_replaced(part, arguments) for part in node)
