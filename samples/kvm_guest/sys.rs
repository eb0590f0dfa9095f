// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The only file with `unsafe`: system calls and shared memory, made safe.

use crate::abi;
use std::ffi::{c_int, c_long, c_ulong, c_void};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::AtomicU32;

#[repr(C)]
#[derive(Default)]
struct SigSet([u64; 16]);

#[repr(C)]
struct TimeSpec {
    seconds: i64,
    nanoseconds: i64,
}

extern "C" {
    fn ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
    fn mmap(
        at: *mut c_void,
        len: usize,
        prot: c_int,
        flags: c_int,
        fd: c_int,
        offset: i64,
    ) -> *mut c_void;
    fn munmap(at: *mut c_void, len: usize) -> c_int;
    fn mremap(old: *mut c_void, old_len: usize, len: usize, flags: c_int, ...) -> *mut c_void;
    fn mprotect(at: *mut c_void, len: usize, prot: c_int) -> c_int;
    fn madvise(at: *mut c_void, len: usize, advice: c_int) -> c_int;
    fn syscall(number: c_long, ...) -> c_long;
    fn fork() -> c_int;
    fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn _exit(status: c_int) -> !;
    fn sigemptyset(set: *mut SigSet) -> c_int;
    fn sigaddset(set: *mut SigSet, signal: c_int) -> c_int;
    fn pthread_sigmask(how: c_int, set: *const SigSet, old: *mut SigSet) -> c_int;
    fn sigtimedwait(set: *const SigSet, info: *mut c_void, timeout: *const TimeSpec) -> c_int;

    static kvm_guest_code_start: u8;
    static kvm_guest_code_end: u8;
}

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn check_address(result: *mut c_void) -> io::Result<*mut u8> {
    if result as isize == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result.cast())
    }
}

/// The guest's code as bytes.
pub fn guest_code() -> &'static [u8] {
    let start = &raw const kvm_guest_code_start;
    let end = &raw const kvm_guest_code_end;
    // SAFETY: both symbols are defined by one `global_asm!` in `guest.rs`, the
    // end after the start, in a read-only section.
    unsafe { std::slice::from_raw_parts(start, end as usize - start as usize) }
}

/// Memory that other threads, the kernel or a virtual machine change too.
///
/// It stays mapped for the life of the program; parts of it are only ever
/// replaced by other mappings that can be read.
pub struct Memory {
    base: *mut u8,
    len: usize,
}

// SAFETY: the memory is reached through atomics only.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// Maps zeroed private memory.
    pub fn new(len: usize) -> io::Result<Self> {
        let prot = abi::PROT_READ | abi::PROT_WRITE;
        let flags = abi::MAP_PRIVATE | abi::MAP_ANONYMOUS | abi::MAP_NORESERVE;
        // SAFETY: a new mapping at a place of the kernel's choice.
        let base = check_address(unsafe { mmap(ptr::null_mut(), len, prot, flags, -1, 0) })?;
        Ok(Self { base, len })
    }

    /// As `new`, starting at a multiple of `align`. What is mapped before and
    /// after it stays mapped, so this is for memory that lives to the end.
    pub fn aligned(len: usize, align: usize) -> io::Result<Self> {
        let whole = Self::new(len + align)?;
        let skip = whole.base.align_offset(align);
        // SAFETY: `skip` is less than `align`, so `skip + len` is in the mapping.
        let base = unsafe { whole.base.add(skip) };
        Ok(Self { base, len })
    }

    /// Returns the host address of `offset`.
    pub fn address(&self, offset: usize) -> usize {
        assert!(offset <= self.len);
        self.base as usize + offset
    }

    /// Returns the word at `offset`.
    pub fn word(&self, offset: usize) -> &AtomicU32 {
        assert!(offset % 4 == 0 && offset + 4 <= self.len);
        // SAFETY: in bounds and aligned by the assertion (the base is a
        // page's); readable for ever by the type's description.
        unsafe { AtomicU32::from_ptr(self.base.add(offset).cast()) }
    }

    fn part(&self, offset: usize, len: usize) -> *mut c_void {
        assert!(offset + len <= self.len);
        // SAFETY: in bounds by the assertion.
        unsafe { self.base.add(offset).cast() }
    }

    /// Copies `bytes` to `offset`, before anyone else knows the memory.
    pub fn load(&mut self, offset: usize, bytes: &[u8]) {
        let to = self.part(offset, bytes.len());
        // SAFETY: `part` checked the bounds, `&mut` says that nobody else uses
        // the memory, and a borrowed slice cannot overlap it.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), to.cast(), bytes.len()) };
    }

    /// Forbids or allows writing.
    pub fn protect(&self, offset: usize, len: usize, write: bool) -> io::Result<()> {
        let prot = if write {
            abi::PROT_READ | abi::PROT_WRITE
        } else {
            abi::PROT_READ
        };
        // SAFETY: the part is ours and stays readable; a write to it in
        // between would be a clean fault, not a wrong result.
        check(unsafe { mprotect(self.part(offset, len), len, prot) }).map(drop)
    }

    /// Gives advice that keeps the contents.
    pub fn advise(&self, offset: usize, len: usize, advice: i32) -> io::Result<()> {
        assert!(matches!(
            advice,
            abi::MADV_DONTFORK
                | abi::MADV_MERGEABLE
                | abi::MADV_NOHUGEPAGE
                | abi::MADV_PAGEOUT
                | abi::MADV_COLLAPSE
        ));
        // SAFETY: the part is ours and none of these advices changes contents.
        check(unsafe { madvise(self.part(offset, len), len, advice) }).map(drop)
    }

    /// Unmaps a part and maps new zeroed memory there, in one step so that no
    /// other thread's mapping can slip into the hole.
    pub fn replace(&self, offset: usize, len: usize) -> io::Result<()> {
        let prot = abi::PROT_READ | abi::PROT_WRITE;
        let flags = abi::MAP_PRIVATE | abi::MAP_ANONYMOUS | abi::MAP_NORESERVE | abi::MAP_FIXED;
        // SAFETY: replaces a part of ours by memory of the same kind; contents
        // are atomics, so a change under a reader is no undefined behaviour.
        check_address(unsafe { mmap(self.part(offset, len), len, prot, flags, -1, 0) }).map(drop)
    }

    /// Moves the pages of `from` over a part, which unmaps what was there.
    pub fn replace_by(&self, offset: usize, from: Memory) -> io::Result<()> {
        let to = self.part(offset, from.len);
        let flags = abi::MREMAP_MAYMOVE | abi::MREMAP_FIXED;
        // SAFETY: `from` is consumed, so nobody refers to its old place; the
        // target is a part of ours, see `replace`.
        check_address(unsafe { mremap(from.base.cast(), from.len, from.len, flags, to) }).map(drop)
    }

    /// Asks to move the pages that start at `pages` to `nodes`, or with no
    /// nodes only where they are. Returns the call's own result.
    pub fn move_pages(
        &self,
        pages: &[usize],
        nodes: Option<&[i32]>,
        status: &mut [i32],
    ) -> io::Result<()> {
        assert!(status.len() == pages.len() && nodes.is_none_or(|n| n.len() == pages.len()));
        let nodes = nodes.map_or(ptr::null(), <[i32]>::as_ptr);
        // SAFETY: the three arrays have one length; pages move, contents stay.
        let result = unsafe {
            syscall(
                abi::SYS_MOVE_PAGES,
                0 as c_long,
                pages.len() as c_ulong,
                pages.as_ptr(),
                nodes,
                status.as_mut_ptr(),
                abi::MPOL_MF_MOVE_ALL as c_long,
            )
        };
        if result < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }
}

/// Runs `body` in a forked child; its result is the child's exit status.
///
/// `body` must not allocate nor lock: other threads' locks stay as they were.
pub fn fork_child(body: impl FnOnce() -> i32) -> io::Result<Child> {
    // SAFETY: the child runs `body` alone and leaves without unwinding.
    match check(unsafe { fork() })? {
        0 => {
            let status = body();
            // SAFETY: ends the child without running the parent's destructors.
            unsafe { _exit(status) }
        }
        pid => Ok(Child(pid)),
    }
}

/// A forked child that is to be waited for.
pub struct Child(c_int);

impl Child {
    /// Waits for the end and returns the exit status, none after a signal.
    pub fn wait(self) -> io::Result<Option<i32>> {
        let mut status = 0;
        loop {
            // SAFETY: `status` is a live int.
            match check(unsafe { waitpid(self.0, &mut status, 0) }) {
                Err(e) if e.raw_os_error() == Some(abi::EINTR) => continue,
                Err(e) => return Err(e),
                Ok(_) if status & 0x7f == 0 => return Ok(Some((status >> 8) & 0xff)),
                Ok(_) => return Ok(None),
            }
        }
    }
}

/// The signals that end the program, blocked in every thread.
pub struct EndSignals(SigSet);

impl EndSignals {
    /// Blocks them; call before the first thread starts.
    pub fn block() -> Self {
        let mut set = SigSet::default();
        // SAFETY: `SigSet` has the size of glibc's `sigset_t`, and lives.
        unsafe {
            sigemptyset(&mut set);
            sigaddset(&mut set, abi::SIGINT);
            sigaddset(&mut set, abi::SIGTERM);
            pthread_sigmask(abi::SIG_BLOCK, &set, ptr::null_mut());
        }
        Self(set)
    }

    /// Waits for one of them, at most `milliseconds`; returns whether it came.
    pub fn wait(&self, milliseconds: u64) -> bool {
        let timeout = TimeSpec {
            seconds: (milliseconds / 1000) as i64,
            nanoseconds: (milliseconds % 1000 * 1_000_000) as i64,
        };
        // SAFETY: set and timeout live; no information about it is wanted.
        unsafe { sigtimedwait(&self.0, ptr::null_mut(), &timeout) > 0 }
    }
}

/// A file descriptor of KVM: the system, a machine or a vCPU.
pub struct Kvm(OwnedFd);

impl Kvm {
    /// Opens `/dev/kvm`.
    pub fn open() -> io::Result<Self> {
        let file = File::options().read(true).write(true).open("/dev/kvm")?;
        Ok(Self(file.into()))
    }

    /// Calls a request whose argument is a plain number.
    pub fn number(&self, request: u64, argument: usize) -> io::Result<i32> {
        assert!(matches!(
            request,
            abi::KVM_GET_API_VERSION
                | abi::KVM_GET_VCPU_MMAP_SIZE
                | abi::KVM_SET_TSS_ADDR
                | abi::KVM_RUN
        ));
        // SAFETY: these requests take a number; KVM_RUN's only memory effects
        // are on guest memory and on the shared page, both read as volatile.
        check(unsafe { ioctl(self.0.as_raw_fd(), request as c_ulong, argument) })
    }

    /// Calls a request that makes a new file descriptor.
    pub fn create(&self, request: u64) -> io::Result<Self> {
        assert!(matches!(request, abi::KVM_CREATE_VM | abi::KVM_CREATE_VCPU));
        // SAFETY: the two requests take a number and return a new descriptor,
        // which nobody else owns yet.
        unsafe {
            let fd = check(ioctl(self.0.as_raw_fd(), request as c_ulong, 0usize))?;
            Ok(Self(OwnedFd::from_raw_fd(fd)))
        }
    }

    /// Gives the machine `memory` as its physical memory from address 0.
    pub fn set_memory(&self, memory: &Memory) -> io::Result<()> {
        let region = abi::MemoryRegion {
            bytes: memory.len as u64,
            host_address: memory.base as u64,
            ..Default::default()
        };
        let request = abi::KVM_SET_USER_MEMORY_REGION as c_ulong;
        // SAFETY: the structure lives; the memory stays mapped for ever.
        check(unsafe { ioctl(self.0.as_raw_fd(), request, &region) }).map(drop)
    }

    /// Reads the general registers of a vCPU.
    pub fn regs(&self) -> io::Result<abi::Regs> {
        let mut regs = abi::Regs::default();
        // SAFETY: the request fills exactly one `Regs`.
        check(unsafe { ioctl(self.0.as_raw_fd(), abi::KVM_GET_REGS as c_ulong, &mut regs) })?;
        Ok(regs)
    }

    /// Sets the general registers of a vCPU.
    pub fn set_regs(&self, regs: &abi::Regs) -> io::Result<()> {
        // SAFETY: the request reads exactly one `Regs`.
        check(unsafe { ioctl(self.0.as_raw_fd(), abi::KVM_SET_REGS as c_ulong, regs) }).map(drop)
    }

    /// Reads the system registers of a vCPU.
    pub fn sregs(&self) -> io::Result<abi::Sregs> {
        let mut sregs = abi::Sregs::default();
        // SAFETY: the request fills exactly one `Sregs`.
        check(unsafe {
            ioctl(
                self.0.as_raw_fd(),
                abi::KVM_GET_SREGS as c_ulong,
                &mut sregs,
            )
        })?;
        Ok(sregs)
    }

    /// Sets the system registers of a vCPU.
    pub fn set_sregs(&self, sregs: &abi::Sregs) -> io::Result<()> {
        // SAFETY: the request reads exactly one `Sregs`.
        check(unsafe { ioctl(self.0.as_raw_fd(), abi::KVM_SET_SREGS as c_ulong, sregs) }).map(drop)
    }

    /// Maps the page that a vCPU shares with its runner.
    pub fn run_page(&self, len: usize) -> io::Result<RunPage> {
        assert!(len >= size_of::<abi::Run>());
        let prot = abi::PROT_READ | abi::PROT_WRITE;
        // SAFETY: a new mapping at a place of the kernel's choice.
        let page = unsafe {
            mmap(
                ptr::null_mut(),
                len,
                prot,
                abi::MAP_SHARED,
                self.0.as_raw_fd(),
                0,
            )
        };
        Ok(RunPage(check_address(page)?.cast(), len))
    }
}

/// The page that a vCPU shares with its runner.
///
/// # Invariants
///
/// Points to a live mapping of at least `size_of::<Run>()` bytes.
pub struct RunPage(*mut abi::Run, usize);

// SAFETY: the mapping is not bound to a thread.
unsafe impl Send for RunPage {}

impl RunPage {
    /// Why the vCPU came back.
    pub fn exit_reason(&self) -> u32 {
        // SAFETY: live by the type's invariant.
        unsafe { (&raw const (*self.0).exit_reason).read_volatile() }
    }

    /// The port of a port access.
    pub fn io_port(&self) -> u16 {
        // SAFETY: live by the type's invariant.
        unsafe { (&raw const (*self.0).io_port).read_volatile() }
    }
}

impl Drop for RunPage {
    fn drop(&mut self) {
        // SAFETY: a mapping of our own, no longer used.
        unsafe { munmap(self.0.cast(), self.1) };
    }
}
