// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Numbers and structures of the kernel's user-space interface (x86-64).

pub const KVM_API_VERSION: i32 = 12;
pub const KVM_GET_API_VERSION: u64 = 0xae00;
pub const KVM_CREATE_VM: u64 = 0xae01;
pub const KVM_GET_VCPU_MMAP_SIZE: u64 = 0xae04;
pub const KVM_CREATE_VCPU: u64 = 0xae41;
pub const KVM_SET_TSS_ADDR: u64 = 0xae47;
pub const KVM_RUN: u64 = 0xae80;
pub const KVM_SET_USER_MEMORY_REGION: u64 = 0x4020_ae46;
pub const KVM_GET_REGS: u64 = 0x8090_ae81;
pub const KVM_SET_REGS: u64 = 0x4090_ae82;
pub const KVM_GET_SREGS: u64 = 0x8138_ae83;
pub const KVM_SET_SREGS: u64 = 0x4138_ae84;

pub const KVM_EXIT_IO: u32 = 2;

#[repr(C)]
#[derive(Default)]
pub struct MemoryRegion {
    pub slot: u32,
    pub flags: u32,
    pub guest_address: u64,
    pub bytes: u64,
    pub host_address: u64,
}

#[repr(C)]
#[derive(Default)]
pub struct Regs {
    pub rax: u64,
    pub rbx: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub rsp: u64,
    pub rbp: u64,
    pub r8_r15: [u64; 8],
    pub rip: u64,
    pub rflags: u64,
}

#[repr(C)]
#[derive(Default, Clone, Copy)]
pub struct Segment {
    pub base: u64,
    pub limit: u32,
    pub selector: u16,
    pub kind: u8,
    pub present: u8,
    pub dpl: u8,
    pub db: u8,
    pub s: u8,
    pub l: u8,
    pub g: u8,
    pub avl: u8,
    pub unusable: u8,
    pub padding: u8,
}

#[repr(C)]
#[derive(Default)]
pub struct Sregs {
    pub cs: Segment,
    pub ds: Segment,
    pub es: Segment,
    pub fs: Segment,
    pub gs: Segment,
    pub ss: Segment,
    pub tr: Segment,
    pub ldt: Segment,
    pub gdt_idt: [u64; 4],
    pub cr0: u64,
    pub cr2: u64,
    pub cr3: u64,
    pub cr4: u64,
    pub cr8: u64,
    pub efer: u64,
    pub apic_base: u64,
    pub interrupts: [u64; 4],
}

/// The head of the page that a vCPU shares with its runner, as far as it is
/// used: the details are those of a port access.
#[repr(C)]
pub struct Run {
    pub head: [u8; 8],
    pub exit_reason: u32,
    pub middle: [u8; 20],
    pub io_direction: u8,
    pub io_size: u8,
    pub io_port: u16,
}

const _: () = assert!(size_of::<MemoryRegion>() == 32);
const _: () = assert!(size_of::<Regs>() == 144);
const _: () = assert!(size_of::<Sregs>() == 312);
const _: () = assert!(std::mem::offset_of!(Run, io_direction) == 32);

pub const PROT_READ: i32 = 1;
pub const PROT_WRITE: i32 = 2;
pub const MAP_SHARED: i32 = 0x01;
pub const MAP_PRIVATE: i32 = 0x02;
pub const MAP_FIXED: i32 = 0x10;
pub const MAP_ANONYMOUS: i32 = 0x20;
pub const MAP_NORESERVE: i32 = 0x4000;
pub const MREMAP_MAYMOVE: i32 = 1;
pub const MREMAP_FIXED: i32 = 2;

pub const MADV_DONTFORK: i32 = 10;
pub const MADV_MERGEABLE: i32 = 12;
pub const MADV_NOHUGEPAGE: i32 = 15;
pub const MADV_PAGEOUT: i32 = 21;
pub const MADV_COLLAPSE: i32 = 25;

pub const SYS_MOVE_PAGES: i64 = 279;
pub const MPOL_MF_MOVE_ALL: i32 = 4;

pub const SIGINT: i32 = 2;
pub const SIGTERM: i32 = 15;
pub const SIG_BLOCK: i32 = 0;

pub const EINTR: i32 = 4;
pub const EAGAIN: i32 = 11;
pub const EFAULT: i32 = 14;
pub const EINVAL: i32 = 22;
