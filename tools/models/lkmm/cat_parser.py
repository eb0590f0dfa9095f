# SPDX-License-Identifier: GPL-2.0 OR MIT
"""Reads the language of the kernel's memory model: as much of herd7's `cat` as its files use.

A file becomes a list of statements, an expression a tuple whose first item says what it is.
"""

import re

import tokens

_TOKEN = re.compile(r"""
    (?P<skip>\s+|//[^\n]*)
  | (?P<string>"[^"]*")
  | (?P<tag>'[A-Za-z][\w-]*)
  | (?P<name>[A-Za-z][\w.]*(?:-\w[\w.]*)*|_|0)
  | (?P<op>\^-1|\|\||\+\+|[|;\\&*+?~(){}\[\],=])
""", re.VERBOSE)
_KEYWORDS = {"let", "rec", "and", "in", "with", "from", "as", "include", "show", "enum", "flag",
             "instructions", "acyclic", "irreflexive", "empty", "if", "then", "else", "try"}
_CHECKS = ("acyclic", "irreflexive", "empty")
# Infix operators from the weakest to the strongest, but for `*`.
_INFIX = (("|", "union"), ("++", "add"), (";", "compose"), ("\\", "minus"), ("&", "both"))


class CatError(Exception):
    """The text is not cat, or not of the part that is read here."""


def _without_comments(text):
    """`(* *)` comments nest."""
    kept, depth, at = [], 0, 0
    for mark in re.finditer(r"\(\*|\*\)", text):
        # "(*)" and "_*B)" are no comments: an opening mark is followed by a space or letter.
        if mark.group() == "*)" and depth == 0:
            continue
        if depth == 0:
            kept.append(text[at:mark.start()])
        depth += 1 if mark.group() == "(*" else -1
        at = mark.end()
    if depth:
        raise CatError("a comment does not end")
    return "".join(kept) + text[at:]


class _Parser:
    def __init__(self, text):
        self._tokens = tokens.of(_TOKEN, _without_comments(text), CatError)
        self._at = 0

    def _peek(self, *texts):
        kind, text = self._tokens[self._at]
        return text in texts and kind not in ("string", "tag")

    def _take(self):
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _accept(self, text):
        return self._peek(text) and bool(self._take())

    def _expect(self, text):
        if not self._accept(text):
            raise CatError(f"{text!r} expected, found {self._tokens[self._at][1]!r}")

    def _name(self):
        kind, text = self._tokens[self._at]
        if kind != "name" or text in _KEYWORDS:
            raise CatError(f"a name expected, found {text!r}")
        return self._take()

    def file(self):
        statements = []
        while self._tokens[self._at][0] != "end":
            if self._tokens[self._at][0] == "string":  # the title
                self._take()
            else:
                statements.append(self._statement())
        return statements

    def _statement(self):
        if self._accept("include"):
            return ("include", self._take().strip('"'))
        if self._accept("enum"):
            self._name()
            self._expect("=")
            tags = [self._take()[1:]]
            while self._accept("||"):
                tags.append(self._take()[1:])
            return ("enum", tags)
        if self._accept("instructions"):
            self._name()
            self._expect("[")
            self._name()
            self._expect("]")
            return ("nothing",)
        if self._accept("show"):
            self._name()
            while self._accept(","):
                self._name()
            return ("nothing",)
        if self._accept("with"):
            name = self._name()
            self._expect("from")
            return ("with", name, self._expression())
        if self._peek("let"):
            return self._let()
        return self._check()

    def _check(self):
        is_flag = self._accept("flag")
        negated = self._accept("~")
        check = self._take()
        if check not in _CHECKS:
            raise CatError(f"no statement begins with {check!r}")
        body = self._expression()
        label = self._name() if self._accept("as") else check
        return ("check", is_flag, negated, check, body, label)

    def _let(self):
        self._expect("let")
        kind = "rec" if self._accept("rec") else "let"
        bindings = [self._binding()]
        while self._accept("and"):
            bindings.append(self._binding())
        return (kind, bindings)

    def _binding(self):
        name, parameter = self._name(), None
        if self._accept("("):
            parameter = self._name()
            self._expect(")")
        elif not self._peek("="):
            parameter = self._name()
        self._expect("=")
        body = self._expression()
        return (name, body if parameter is None else ("function", parameter, body))

    def _expression(self):
        if self._peek("let"):
            bound = self._let()
            self._expect("in")
            return ("local", bound, self._expression())
        if self._accept("try"):
            first = self._expression()
            self._expect("with")
            return ("try", first, self._expression())
        if self._accept("if"):
            variant = self._take().strip('"')
            self._expect("then")
            yes = self._expression()
            self._expect("else")
            return ("variant", variant, yes, self._expression())
        return self._infix(0)

    def _infix(self, level):
        if level == len(_INFIX):
            return self._product()
        text, operation = _INFIX[level]
        left = self._infix(level + 1)
        while self._accept(text):
            left = (operation, left, self._infix(level + 1))
        return left

    def _product(self):
        left = self._prefixed()
        while self._accept("*"):
            left = ("product", left, self._prefixed())
        return left

    def _prefixed(self):
        if self._accept("~"):
            return ("not", self._prefixed())
        operand = self._applied()
        while True:
            if self._accept("^-1"):
                operand = ("inverse", operand)
            elif self._accept("+"):
                operand = ("plus", operand)
            elif self._accept("?"):
                operand = ("maybe", operand)
            elif self._peek("*") and not self._begins_operand(self._at + 1):
                self._take()
                operand = ("star", operand)
            else:
                return operand

    def _begins_operand(self, at):
        kind, text = self._tokens[at]
        return (kind == "name" and text not in _KEYWORDS) or (kind == "op" and text in "([{~")

    def _applied(self):
        operand = self._atom()
        while operand[0] in ("name", "call") and self._begins_operand(self._at) \
                and not self._peek("~", "["):
            operand = ("call", operand, self._atom())
        return operand

    def _atom(self):
        if self._accept("("):
            inner = self._expression()
            self._expect(")")
            return inner
        if self._accept("["):
            inner = self._expression()
            self._expect("]")
            return ("identity", inner)
        if self._accept("{"):
            inner = self._expression()
            self._expect("}")
            return ("singleton", inner)
        name = self._name()
        return {"_": ("all",), "0": ("none",)}.get(name, ("name", name))


def parse(text):
    """The statements of a file."""
    return _Parser(text).file()
