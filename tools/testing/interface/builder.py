#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Stands in for the compiler when rustdoc tests the crate's examples; see README.md.

rustdoc gives the program of an example on stdin. One that shall run (rustdoc asks for no code,
since it is told not to run it) is kept in EXAMPLES for the module. One that shall not compile is
compiled, and rustdoc judges by status and stderr; stderr is kept as well.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

_PARAMETERS = ("mm: &::kernel::mm::MmWithUser, memory: ::core::ops::Range<usize>, "
               "unmap: fn(::core::ops::Range<usize>)")
_ALLOW = "#[allow(unused, non_snake_case, unreachable_pub)]"
_HEAD = re.compile(r"fn main\(\) \{ #\[allow\(non_snake_case\)\] fn (_doctest_main_\w+)\(\)"
                   r"( -> Result<\(\), impl core::fmt::Debug>)? \{")
# Whose the implementations of an example that does not become a part of the module are.
_LOCAL_MODULE = """
struct LocalModule;
impl ::kernel::ModuleMetadata for LocalModule {
    const NAME: &'static ::kernel::str::CStr = c"example";
    const THIS_MODULE: ::kernel::ThisModule =
        unsafe { ::kernel::ThisModule::from_ptr(::core::ptr::null_mut()) };
}
"""


def with_parameters(program):
    """Returns the example's name, and the program with what README.md promises, line for line."""
    head = _HEAD.search(program)
    if head is None:
        sys.exit("error: an example must be the inside of a function, without a `fn main`")
    name, fallible = head[1], bool(head[2])
    result = "::core::result::Result<(), impl ::core::fmt::Debug>" if fallible else "()"
    before, body = program[:head.start()], program[head.end():]
    call = f"{name}(mm, memory, unmap)"
    tail = f"}} {name}(){'.unwrap()' if fallible else ''} }}"
    if body.count(tail) != 1:
        sys.exit("error: rustdoc ends an example in another way than is known here")
    if fallible:
        call = f"if let Err(error) = {call} {{ crate::failed(format_args!(\"{{error:?}}\")); }}"
    return name, (f"{before}{_ALLOW} pub(crate) fn main({_PARAMETERS}) {{ "
                  f"use ::kernel::prelude::*; {_ALLOW} fn {name}({_PARAMETERS}) -> {result} {{"
                  + body.replace(tail, f"}} {call}; }}"))


def compiled(name, program, arguments):
    """Compiles the program as a part of a kernel module, and keeps what the compiler says."""
    program += _LOCAL_MODULE + "fn failed(_: ::core::fmt::Arguments<'_>) {}\n"
    arguments = ["--crate-type=rlib" if argument == "--crate-type=bin" else argument
                 for argument in arguments]
    done = subprocess.run([os.environ["RUSTC"], "--emit=metadata", *arguments], input=program,
                          stderr=subprocess.PIPE, text=True, check=False)
    Path(os.environ["EXAMPLES"], f"{name}.stderr").write_text(done.stderr)
    sys.stderr.write(done.stderr)
    return done.returncode


def main():
    name, program = with_parameters(sys.stdin.read())
    if any(argument.startswith("--emit=metadata") for argument in sys.argv):
        Path(os.environ["EXAMPLES"], f"{name}.rs").write_text(program)
        return 0
    return compiled(name, program, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
