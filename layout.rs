// SPDX-License-Identifier: GPL-2.0

//! Refuses a kernel whose per-`mm` state is not what [`Layout`] says.
//!
//! `struct mmu_notifier_subscriptions` is in no header: nothing else would notice that a kernel
//! has it otherwise, and a takeover would then read and write the wrong words of live processes.
//! The types of its fields are in headers, so for those a matching `vermagic` and a matching size
//! are enough.

use core::{
    mem::offset_of,
    slice, //
};
use kernel::{
    fmt,
    prelude::*,
    str::BStr, //
};

use crate::{
    btf::{
        self,
        Btf, //
    },
    ffi,
    subscriptions::Layout, //
};

const NAME: &str = "mmu_notifier_subscriptions";

/// What a field must be, in bytes.
struct Field {
    name: &'static str,
    offset: usize,
    size: usize,
}

const fn size_of_field<T>(_: fn(&Layout) -> &T) -> usize {
    size_of::<T>()
}

/// The fields of [`Layout`], under the names that C has for them as well.
macro_rules! fields {
    ($($name:ident)*) => {
        [$(Field {
            name: stringify!($name),
            offset: offset_of!(Layout, $name),
            size: size_of_field(|layout| &layout.$name),
        }),*]
    };
}

const FIELDS: [Field; 8] = fields! {
    list has_itree lock invalidate_seq active_invalidate_ranges itree wq deferred_list
};

/// Whether the running kernel has [`Layout`]; each difference is reported.
fn matches(btf: &Btf<'_>) -> Result<bool, btf::Error> {
    let mut same = true;
    let mut differs = |what: fmt::Arguments<'_>| {
        pr_err!("struct {}: {}\n", NAME, what);
        same = false;
    };
    let structure = btf.structure(NAME)?;
    let mut types = [None; FIELDS.len()];

    for member in structure.members() {
        let member = member?;
        let mut pairs = FIELDS.iter().zip(&mut types);
        let Some((field, type_id)) = pairs.find(|(field, _)| field.name.as_bytes() == member.name)
        else {
            let name = BStr::from_bytes(member.name);
            differs(fmt!("field {name}: unknown to this module"));
            continue;
        };
        *type_id = Some(member.type_id);
        let (expected, found) = (field.offset, member.bit_offset / 8);
        if member.bit_offset % 8 != 0 || member.bits != 0 {
            differs(fmt!("field {}: is a bit-field", field.name));
        } else if found as usize != expected {
            differs(fmt!(
                "field {}: expected at offset {expected}, found at {found}",
                field.name
            ));
        }
    }

    let (expected, found) = (size_of::<Layout>(), structure.size());
    if found as usize != expected {
        differs(fmt!("expected {expected} bytes, found {found}"));
    }
    for (field, type_id) in FIELDS.iter().zip(types) {
        if type_id.is_none() {
            differs(fmt!("field {}: missing", field.name));
        }
    }
    if types.contains(&None) {
        return Ok(false);
    }

    let sizes = btf.sizes(types.map(Option::unwrap_or_default))?;
    for (field, found) in FIELDS.iter().zip(sizes) {
        if found as usize != field.size {
            differs(fmt!(
                "field {}: expected {} bytes, found {found}",
                field.name,
                field.size
            ));
        }
    }
    Ok(same)
}

/// Compares the running kernel's type information with [`Layout`].
///
/// # Errors
///
/// `ENOEXEC`, as for any module that was built for another kernel, if they differ or there is no
/// telling.
///
/// Context: may be called anywhere; reads megabytes.
pub(crate) fn check() -> Result {
    // SAFETY: The kernel's own bounds of its type information, which is constant and stays.
    let blob = unsafe {
        let (start, stop) = (ffi::mmn_btf_start, ffi::mmn_btf_stop);
        slice::from_raw_parts(start, (stop as usize).saturating_sub(start as usize))
    };
    match Btf::new(blob).and_then(|btf| matches(&btf)) {
        Ok(true) => return Ok(()),
        Ok(false) => {}
        Err(error) => pr_err!(
            "struct {}: the kernel's type information (BTF) does not tell: {:?}\n",
            NAME,
            error
        ),
    }
    pr_err!("this module was built for another kernel; nothing was changed\n");
    Err(ENOEXEC)
}
