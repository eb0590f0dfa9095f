// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Keeps one empty virtual machine open until it is killed.
//!
//! KVM flips the static key of the preempt notifiers when the first VM comes and the last one
//! goes. While this program runs, it never does.

use std::ffi::{c_int, c_ulong};
use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;

const KVM_CREATE_VM: c_ulong = 0xae01;

extern "C" {
    fn ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
    fn pause() -> c_int;
}

fn main() {
    let kvm = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/kvm")
        .expect("open /dev/kvm");
    // SAFETY: KVM_CREATE_VM takes a machine type by value, no pointer.
    let vm = unsafe { ioctl(kvm.as_raw_fd(), KVM_CREATE_VM, 0 as c_ulong) };
    assert!(vm >= 0, "KVM_CREATE_VM: {}", io::Error::last_os_error());
    println!("held");
    loop {
        // SAFETY: `pause` has no conditions.
        unsafe { pause() };
    }
}
