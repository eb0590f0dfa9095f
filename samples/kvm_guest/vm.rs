// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A virtual machine of one vCPU: 32-bit protected mode, flat, no paging.

use crate::abi;
use crate::guest;
use crate::sys::{guest_code, Kvm, Memory, RunPage};
use std::io;

/// Three pages outside the guest's memory that Intel processors need.
const TSS_ADDRESS: usize = 0xfffb_d000;
const CR0_PE: u64 = 1;
const RFLAGS_RESERVED: u64 = 2;

/// A machine that is ready to run.
pub struct Vm {
    vcpu: Kvm,
    run: RunPage,
    // Held open: the machine lives as long as its descriptors.
    _vm: Kvm,
}

/// Why the guest stopped running.
pub enum Exit {
    /// It finished a walk over all regions.
    Doorbell,
    /// It read a word that it should not have read.
    Wrong {
        address: u32,
        expected: u32,
        seen: u32,
    },
    /// The host's mapping did not allow its access to the line at this
    /// address; running it again repeats the access.
    Refused(u32),
    /// A signal for the thread.
    Interrupted,
    /// Anything else, by KVM's number: never expected.
    Other(u32),
}

impl Vm {
    /// Loads the guest's code into `memory` and makes a machine of it.
    pub fn new(memory: &mut Memory) -> io::Result<Self> {
        memory.load(guest::CODE, guest_code());

        let kvm = Kvm::open()?;
        if kvm.number(abi::KVM_GET_API_VERSION, 0)? != abi::KVM_API_VERSION {
            return Err(io::Error::other("/dev/kvm speaks another version"));
        }
        let vm = kvm.create(abi::KVM_CREATE_VM)?;
        vm.number(abi::KVM_SET_TSS_ADDR, TSS_ADDRESS)?;
        vm.set_memory(memory)?;
        let vcpu = vm.create(abi::KVM_CREATE_VCPU)?;
        let run = vcpu.run_page(kvm.number(abi::KVM_GET_VCPU_MMAP_SIZE, 0)? as usize)?;

        let mut sregs = vcpu.sregs()?;
        let data = segment(0x10, 3);
        sregs.cs = segment(0x08, 11);
        for s in [
            &mut sregs.ds,
            &mut sregs.es,
            &mut sregs.fs,
            &mut sregs.gs,
            &mut sregs.ss,
        ] {
            *s = data;
        }
        sregs.cr0 |= CR0_PE;
        vcpu.set_sregs(&sregs)?;
        vcpu.set_regs(&abi::Regs {
            rip: guest::CODE as u64,
            rflags: RFLAGS_RESERVED,
            ..Default::default()
        })?;
        Ok(Self { vcpu, run, _vm: vm })
    }

    /// Runs the guest until it stops.
    pub fn run(&mut self) -> io::Result<Exit> {
        match self.vcpu.number(abi::KVM_RUN, 0) {
            Ok(_) => {}
            Err(e) if e.raw_os_error() == Some(abi::EINTR) => return Ok(Exit::Interrupted),
            Err(e) if e.raw_os_error() == Some(abi::EFAULT) => {
                return Ok(Exit::Refused(self.vcpu.regs()?.rdi as u32));
            }
            Err(e) => return Err(e),
        }
        Ok(match (self.run.exit_reason(), self.run.io_port()) {
            (abi::KVM_EXIT_IO, guest::PORT_DOORBELL) => Exit::Doorbell,
            (abi::KVM_EXIT_IO, guest::PORT_WRONG) => {
                let regs = self.vcpu.regs()?;
                Exit::Wrong {
                    address: regs.rax as u32,
                    expected: regs.rbx as u32,
                    seen: regs.rcx as u32,
                }
            }
            (reason, _) => Exit::Other(reason),
        })
    }
}

/// A flat 4 GiB segment of ring 0.
fn segment(selector: u16, kind: u8) -> abi::Segment {
    abi::Segment {
        limit: 0xffff_ffff,
        selector,
        kind,
        present: 1,
        db: 1,
        s: 1,
        g: 1,
        ..Default::default()
    }
}
