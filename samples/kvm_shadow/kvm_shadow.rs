// SPDX-License-Identifier: GPL-2.0

//! A shadow page table, in the way that KVM has one.
//!
//! An open `/dev/kvm_shadow` is one virtual machine on the address space of the process that
//! opened it. Slots say which user pages are the guest's memory, and the guest reads and writes
//! it through the entries of a [`RangeMirror`](mmu_notifier::RangeMirror) alone. No page is
//! pinned: what the entries refer to stays the VM's to take away, and it does so at any moment.
//! The sample shows
//!
//! - faults without pins, and the retry when an invalidation came in between ([`vm`]);
//! - the driver's own state under the mirror's lock, and what to save of entries that are about
//!   to go ([`shadow`]);
//! - a dirty log on top of the entries' dirty bits ([`vm`], [`slots`]);
//! - that user memory is never touched under that lock: a fault there invalidates.
//!
//! `kvm_shadow.h` is the interface: `KVM_SHADOW_SET_SLOT` sets, changes and deletes slots,
//! `KVM_SHADOW_READ` and `KVM_SHADOW_WRITE` fault in what they need, `KVM_SHADOW_PEEK` and
//! `KVM_SHADOW_STATE` show what the shadow holds, `KVM_SHADOW_GET_DIRTY` reads and empties a
//! dirty log, `KVM_SHADOW_STATS` counts. A short user of it:
//!
//! ```c
//! #include <fcntl.h>
//! #include <stdint.h>
//! #include <stdio.h>
//! #include <sys/ioctl.h>
//! #include <sys/mman.h>
//! #include "kvm_shadow.h"
//!
//! int main(void)
//! {
//!     int vm = open(KVM_SHADOW_DEVICE, O_RDWR);
//!     uint64_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
//!                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
//!     uint64_t seen = 0;
//!     struct kvm_shadow_slot slot = {
//!         .guest_addr = 0x100000, .size = 4096, .user_addr = (uintptr_t)page,
//!     };
//!     struct kvm_shadow_memory read = {
//!         .guest_addr = 0x100008, .length = sizeof(seen), .buffer = (uintptr_t)&seen,
//!     };
//!
//!     page[1] = 42;
//!     if (vm < 0 || ioctl(vm, KVM_SHADOW_SET_SLOT, &slot) || ioctl(vm, KVM_SHADOW_READ, &read))
//!         return 1;
//!     printf("the guest sees %lu\n", seen);          /* 42 */
//!     madvise(page, 4096, MADV_DONTNEED);
//!     if (!ioctl(vm, KVM_SHADOW_PEEK, &read))        /* ENODATA: its entry is gone */
//!         return 1;
//!     if (ioctl(vm, KVM_SHADOW_READ, &read))
//!         return 1;
//!     printf("the guest sees %lu\n", seen);          /* 0 */
//!     return 0;
//! }
//! ```

mod abi;
mod log;
mod shadow;
mod slots;
mod vm;

use kernel::{
    fs::File,
    ioctl::_IOC_SIZE,
    miscdevice::{
        MiscDevice,
        MiscDeviceOptions,
        MiscDeviceRegistration, //
    },
    prelude::*,
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};

use vm::{
    Absent,
    Vm, //
};

module! {
    type: KvmShadow,
    name: "kvm_shadow",
    authors: ["The mmu_notifier_rust developers"],
    description: "A shadow page table in the way of KVM, on the MMU-notifier interface",
    license: "GPL",
}

#[pin_data]
struct KvmShadow {
    #[pin]
    _device: MiscDeviceRegistration<Vm>,
}

impl kernel::InPlaceModule for KvmShadow {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            _device <- MiscDeviceRegistration::register(MiscDeviceOptions {
                name: c"kvm_shadow",
            }),
        })
    }
}

#[vtable]
impl MiscDevice for Vm {
    type Ptr = Pin<KBox<Self>>;

    fn open(_file: &File, _device: &MiscDeviceRegistration<Self>) -> Result<Pin<KBox<Self>>> {
        let task = current!();
        // A kernel thread has no address space.
        let mm = task.mm().ok_or(ESRCH)?;
        KBox::pin_init(Vm::new(mm), GFP_KERNEL)
    }

    fn ioctl(vm: Pin<&Self>, _file: &File, cmd: u32, arg: usize) -> Result<isize> {
        let user = UserSlice::new(UserPtr::from_addr(arg), _IOC_SIZE(cmd));
        match cmd {
            abi::SET_SLOT => vm.set_slot(&abi::Slot::read(user.reader())?)?,
            abi::READ => vm.read(&abi::Memory::read(user.reader())?, Absent::FaultIn)?,
            abi::WRITE => vm.write(&abi::Memory::read(user.reader())?)?,
            abi::PEEK => vm.read(&abi::Memory::read(user.reader())?, Absent::Refuse)?,
            abi::STATE => vm.states(&abi::State::read(user.reader())?)?,
            abi::GET_DIRTY => vm.take_dirty(&abi::Dirty::read(user.reader())?)?,
            abi::STATS => user.writer().write(&vm.stats().to_words())?,
            _ => return Err(ENOTTY),
        }
        Ok(0)
    }
}
