// SPDX-License-Identifier: GPL-2.0

//! What Rust does to a variable of C that another thread changes, and to memory that is gone.

/// Adds one, by a plain read and a plain write.
///
/// # Safety
///
/// `raced` must point to a variable. That the accesses race is on purpose.
#[no_mangle]
unsafe extern "C" fn mmn_provoke_rust_add(raced: *mut u64) {
    // SAFETY: As the caller promises.
    unsafe { *raced = (*raced).wrapping_add(1) };
}

/// Adds one, by a volatile read and a volatile write: marked accesses, which are no data race.
///
/// # Safety
///
/// As above.
#[no_mangle]
unsafe extern "C" fn mmn_provoke_rust_add_marked(raced: *mut u64) {
    // SAFETY: As the caller promises.
    unsafe { raced.write_volatile(raced.read_volatile().wrapping_add(1)) };
}

/// Reads a byte of memory that has been freed, which the memory checker must find.
///
/// # Safety
///
/// None: it is wrong on purpose.
#[no_mangle]
unsafe extern "C" fn mmn_provoke_rust_read(memory: *const u8) {
    // SAFETY: It is not.
    unsafe { memory.read_volatile() };
}
