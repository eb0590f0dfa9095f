// SPDX-License-Identifier: GPL-2.0

//! How fields of lines are written, so that they can be told apart.

use core::ffi::c_void;
use kernel::{
    bindings,
    ffi::{
        c_char,
        CStr, //
    },
    fmt,
    str::CStrExt, //
};

use crate::ffi;

/// What is known, or `-`.
pub(crate) struct OrDash<T>(pub(crate) Option<T>);

impl<T: fmt::Display> fmt::Display for OrDash<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("-"),
        }
    }
}

/// A function and its module, as two fields.
pub(crate) struct Symbol(pub(crate) *const c_void);

impl fmt::Display for Symbol {
    #[inline(never)]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_null() {
            return f.write_str("- -");
        }
        printed::<{ size_of::<ffi::mmn_symbol>() }>(c"%ps", self.0, |text| {
            let mut has_module = false;
            for byte in text.bytes().filter(|byte| !matches!(byte, b'[' | b']')) {
                has_module |= byte == b' ';
                write!(f, "{}", byte as char)?;
            }
            f.write_str(if has_module { "" } else { " -" })
        })
    }
}

/// A pointer as the kernel hashes it.
pub(crate) struct Hashed(pub(crate) *const c_void);

impl fmt::Display for Hashed {
    #[inline(never)]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        printed::<24>(c"%p", self.0, |text| f.write_str(text))
    }
}

/// What C prints of a pointer, at most `N` bytes less one.
fn printed<const N: usize>(
    format: &CStr,
    pointer: *const c_void,
    then: impl FnOnce(&str) -> fmt::Result,
) -> fmt::Result {
    let mut buffer = [0u8; N];
    // SAFETY: The buffer is that long, and the format takes a pointer.
    unsafe {
        bindings::snprintf(
            buffer.as_mut_ptr().cast::<c_char>(),
            N,
            format.as_char_ptr(),
            pointer,
        )
    };
    let text = CStr::from_bytes_until_nul(&buffer).map_err(|_| fmt::Error)?;
    then(text.to_str().map_err(|_| fmt::Error)?)
}

/// The name of a task.
pub(crate) struct Comm<'a>(pub(crate) &'a [c_char]);

impl fmt::Display for Comm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.iter().copied().take_while(|&byte| byte != 0) {
            match byte {
                b' '..=b'~' if byte != b'\\' => write!(f, "{}", byte as char)?,
                _ => write!(f, "\\{byte:03o}")?,
            }
        }
        Ok(())
    }
}

#[cfg(CONFIG_MMU_NOTIFIER_KUNIT_TEST)]
#[kernel::macros::kunit_tests(mmu_notifier_fields)]
mod tests {
    use super::*;
    use kernel::{
        prelude::*,
        str::CString, //
    };

    fn text(field: impl fmt::Display) -> Result<CString> {
        CString::try_from_fmt(fmt!("{field}"))
    }

    #[test]
    fn a_name_is_one_printable_field() -> Result {
        let name = [b'a', b' ', b'\\', b'\n', 0xc3, b'z', 0, b'x'];
        assert_eq!(text(Comm(&name))?.to_bytes(), br"a \134\012\303z");
        Ok(())
    }

    #[test]
    fn a_symbol_is_two_fields() -> Result {
        assert_eq!(text(Symbol(core::ptr::null()))?.to_bytes(), b"- -");
        let symbol = text(Symbol(bindings::ktime_get as *const c_void))?;
        assert_eq!(symbol.to_bytes(), b"ktime_get -");
        Ok(())
    }

    #[test]
    fn what_is_not_known_is_a_dash() -> Result {
        assert_eq!(text(OrDash(Some(5)))?.to_bytes(), b"5");
        assert_eq!(text(OrDash::<u32>(None))?.to_bytes(), b"-");
        Ok(())
    }
}
