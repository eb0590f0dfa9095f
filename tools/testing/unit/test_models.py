# SPDX-License-Identifier: GPL-2.0
"""The tools behind the models: the checker of litmus tests, broken variants, references to code."""

import sys
import tempfile
import unittest
from pathlib import Path

_MODELS = Path(__file__).resolve().parents[2] / "models"
sys.path[:0] = [str(_MODELS), str(_MODELS / "lkmm")]

import variants  # noqa: E402
import c_parser  # noqa: E402
import cat_parser  # noqa: E402
import checker  # noqa: E402
import litmus  # noqa: E402
import project  # noqa: E402
import references  # noqa: E402
import relation  # noqa: E402
import spin  # noqa: E402
from cat_evaluator import Model  # noqa: E402
from thread import Address, traces  # noqa: E402

_MP = """C mp
{}
P0(int *x, int *y)
{
	WRITE_ONCE(*x, 1);
	smp_store_release(y, 1); // broken: WRITE_ONCE(*y, 1);
}
P1(int *x, int *y)
{
	int r0;
	int r1;
	r0 = smp_load_acquire(y);
	r1 = READ_ONCE(*x);
}
exists (1:r0=1 /\\ 1:r1=0)
"""


def _memory_model():
    return project.kernel().source / "tools" / "memory-model"


class Relations(unittest.TestCase):
    def test_closure_and_cycles(self):
        chain = relation.from_pairs(4, [(0, 1), (1, 2)])
        self.assertEqual(relation.pairs(relation.closure(chain)), [(0, 1), (0, 2), (1, 2)])
        self.assertTrue(relation.is_acyclic(chain))
        self.assertFalse(relation.is_acyclic(relation.from_pairs(4, [(0, 1), (1, 0)])))

    def test_composition_and_inverse(self):
        left = relation.from_pairs(3, [(0, 1)])
        right = relation.from_pairs(3, [(1, 2)])
        self.assertEqual(relation.pairs(relation.compose(left, right)), [(0, 2)])
        self.assertEqual(relation.pairs(relation.inverse(left)), [(1, 0)])

    def test_linear_orders_keep_what_is_given(self):
        orders = list(relation.linear_orders(relation.from_pairs(3, [(0, 2)]), 0b111))
        self.assertEqual(len(orders), 3)
        self.assertTrue(all(order[0] >> 2 & 1 for order in orders))


class Cat(unittest.TestCase):
    def _value(self, text, **base):
        nothing = (0,) * 3
        env = {name: nothing for name in ("po", "loc", "int", "rf")} | base
        statements = cat_parser.parse(text)
        (lookup, flags), = Model(statements, set(), None).executions(3, env)
        return lookup, flags

    def test_star_is_closure_or_product(self):
        lookup, _ = self._value("let p = A * B\nlet c = r* ; r", A=0b001, B=0b110,
                                r=relation.from_pairs(3, [(0, 1), (1, 2)]))
        self.assertEqual(relation.pairs(lookup("p")), [(0, 1), (0, 2)])
        self.assertEqual(relation.pairs(lookup("c")), [(0, 1), (0, 2), (1, 2)])

    def test_a_name_means_what_it_did_before(self):
        lookup, _ = self._value("let a = r let r = r | r^-1 let b = r",
                                r=relation.from_pairs(3, [(0, 1)]))
        self.assertEqual(relation.pairs(lookup("a")), [(0, 1)])
        self.assertEqual(relation.pairs(lookup("b")), [(0, 1), (1, 0)])

    def test_recursion(self):
        lookup, _ = self._value("let rec t = r | (t ; t)",
                                r=relation.from_pairs(3, [(0, 1), (1, 2)]))
        self.assertEqual(len(relation.pairs(lookup("t"))), 3)

    def test_checks_and_flags(self):
        cycle = relation.from_pairs(3, [(0, 1), (1, 0)])
        env = {name: (0,) * 3 for name in ("po", "loc", "int", "rf")} | {"r": cycle}
        refused = Model(cat_parser.parse("acyclic r as no-cycle"), set(), None)
        self.assertEqual(list(refused.executions(3, env)), [])
        _, flags = self._value("flag ~empty r as something", r=cycle)
        self.assertEqual(flags, {"something"})


class LitmusC(unittest.TestCase):
    def test_control_reaches_to_the_end_of_the_arm(self):
        macros = c_parser.parse_macros("READ_ONCE(X) __load{ONCE}(X)\n"
                                       "WRITE_ONCE(X,V) { __store{ONCE}(X,V); }\n")
        body = c_parser.parse_block(
            "{ int r = READ_ONCE(*x); if (r) WRITE_ONCE(*y, r + 1); WRITE_ONCE(*x, 2); }", macros)
        taken, = (trace for trace in traces(body, ["x", "y"], {"x": [1], "y": [0]}))
        self.assertEqual(taken.ctrl, {(0, 1)})
        self.assertEqual(taken.data, {(0, 1)})
        self.assertEqual([event.value for event in taken.events], [1, 2, 2])

    def test_conditions(self):
        test = litmus.parse(_MP.replace("{}", "{ int *p = &x; int x = 3; }")
                            .replace("exists (1:r0=1", "exists (~(p=y) /\\ (1:r0=1 \\/ x=3)"), {
                                name: ([p for p in "XV"[:n]], ("number", 0)) for name, n in
                                (("WRITE_ONCE", 2), ("smp_store_release", 2),
                                 ("smp_load_acquire", 1), ("READ_ONCE", 1))})
        self.assertEqual(test.initial, {"p": Address("x"), "x": 3})
        self.assertTrue(litmus.holds(test.condition, {"x": 3, "p": Address("x")}))
        self.assertFalse(litmus.holds(test.condition, {"x": 3, "p": Address("y")}))


class Checker(unittest.TestCase):
    def test_a_broken_variant_gets_another_verdict(self):
        judge = checker.Checker(_memory_model())
        self.assertEqual(judge.judge(_MP).observation, "Never")
        (name, variant), = variants.of("mp", _MP)
        self.assertEqual(name, "mp+line-6")
        self.assertEqual(judge.judge(variant).observation, "Sometimes")

    def test_the_model_is_what_judges(self):
        """With a check of the model's left out, a test of the kernel's own comes out otherwise."""
        name = "SB+fencembonceonces.litmus"
        text = (_memory_model() / "litmus-tests" / name).read_text()
        with tempfile.TemporaryDirectory() as folder:
            for path in _memory_model().glob("l*.*"):
                said = path.read_text()
                if path.name == "linux-kernel.cat":
                    self.assertIn("acyclic pb as propagation", said)
                    said = said.replace("acyclic pb as propagation", "")
                Path(folder, path.name).write_text(said)
            self.assertEqual(checker.Checker(folder).judge(text).observation, "Sometimes")
        self.assertEqual(checker.Checker(_memory_model()).judge(text).observation, "Never")

    def test_plain_accesses_race(self):
        racy = _MP.replace("READ_ONCE(*x)", "*x").replace("smp_load_acquire(y)", "READ_ONCE(*y)")
        self.assertIn("data-race", checker.Checker(_memory_model()).judge(racy).flags)


class Variants(unittest.TestCase):
    def test_a_line_of_its_own_replaces_the_one_before(self):
        text = "C t\n\ta; b;\n\t// broken: b; a;\n\tc; // broken:\n"
        self.assertEqual([variant for _, variant in variants.of("t", text)],
                         ["C t+line-2\n\tb; a;\n\tc; // broken:\n",
                          "C t+line-4\n\ta; b;\n\t// broken: b; a;\n\t\n"])


class References(unittest.TestCase):
    def test_a_function_that_is_gone(self):
        with tempfile.TemporaryDirectory() as top:
            Path(top, "a.rs").write_text("pub(crate) fn here() {}\n")
            Path(top, "b.c").write_text("int declared(void);\nint defined(int a)\n{\n}\n")
            found = references.missing(
                "/*\n * Code: a.rs: here gone\n * Code: b.c: declared defined\n"
                " * Code: c.rs: any\n */", top)
        self.assertEqual(found, ["a.rs: gone()", "b.c: declared()", "c.rs: any()"])
        self.assertTrue(references.missing("nothing", "."))


class Spin(unittest.TestCase):
    def test_an_incomplete_search_is_no_verdict(self):
        done = "State-vector 8 byte, depth reached 3, errors: {}\n    5 states, stored\n"
        self.assertEqual(spin._outcome("m", done.format(0)).states, 5)
        stopped = "pan:1: invalid end state (at depth 2)\nWarning: Search not completed\n"
        self.assertEqual(spin._outcome("m", stopped + done.format(1)).errors, 1)
        for said in ("", "Warning: Search not completed\n" + done.format(0),
                     "error: max search depth too small\n" + done.format(0)):
            with self.assertRaises(spin.Incomplete):
                spin._outcome("m", said)


if __name__ == "__main__":
    unittest.main()
