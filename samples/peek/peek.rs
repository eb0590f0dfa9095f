// SPDX-License-Identifier: GPL-2.0

//! `/dev/peek` reads words of the memory of the process that opened it, through translations that
//! it keeps. See `peek.h`; `Documentation/tutorial.rst` goes through this file.

use kernel::{
    fs::File,
    ioctl::{
        _IOR,
        _IOWR, //
    },
    miscdevice::{
        MiscDevice,
        MiscDeviceOptions,
        MiscDeviceRegistration, //
    },
    prelude::*,
    sync::lock::spinlock::SpinLockBackend,
    uaccess::UserSlice, //
};
use mmu_notifier::{
    Access,
    Fault,
    MirrorOps,
    Range,
    RangeMirror,
    Table,
    PAGE_SIZE, //
};

const PEEK_READ: u32 = _IOWR::<[u64; 2]>(0xB9, 0);
const PEEK_COUNTS: u32 = _IOR::<[u64; 2]>(0xB9, 1);

module! {
    type: PeekModule,
    name: "peek",
    authors: ["The mmu_notifier_rust developers"],
    description: "Reads memory through translations that are kept",
    license: "GPL",
}

#[pin_data]
struct PeekModule {
    #[pin]
    device: MiscDeviceRegistration<Session>,
}

impl kernel::InPlaceModule for PeekModule {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            device <- MiscDeviceRegistration::register(MiscDeviceOptions { name: c"peek" }),
        })
    }
}

/// What is told of an address space, and what is done about it.
struct Watcher;

#[derive(Default)]
struct Counts {
    faults: u64,
    dropped: u64,
}

#[vtable]
impl MirrorOps for Watcher {
    type State = Counts;
    type Lock = SpinLockBackend;

    fn invalidate(&self, counts: &mut Counts, table: &Table, range: &Range<'_>) {
        counts.dropped += table.iter(range.start()..range.end()).count() as u64;
    }
}

/// An open file.
#[pin_data]
struct Session {
    #[pin]
    mirror: RangeMirror<Watcher>,
}

impl Session {
    fn word(&self, addr: usize) -> Result<u64> {
        let mut word = [0; size_of::<u64>()];
        if addr % word.len() != 0 {
            return Err(EINVAL);
        }
        loop {
            if let Some(page) = self.mirror.lock().get(addr, Access::Read) {
                page.read(addr % PAGE_SIZE, &mut word);
                return Ok(u64::from_ne_bytes(word));
            }
            match self.mirror.fault(addr, Access::Read) {
                Ok(()) => self.mirror.lock().state_mut().faults += 1,
                Err(Fault::Collided) => self.mirror.wait(addr)?,
                Err(Fault::Failed(error)) => return Err(error),
            }
        }
    }

    fn read(&self, arg: UserSlice) -> Result {
        let (mut input, mut output) = arg.reader_writer();
        let [addr, _value]: [u64; 2] = input.read()?;
        output.write(&[addr, self.word(addr as usize)?])
    }

    fn counts(&self, arg: UserSlice) -> Result {
        let counts = {
            let guard = self.mirror.lock();
            [guard.state().faults, guard.state().dropped]
        };
        arg.writer().write(&counts)
    }
}

#[vtable]
impl MiscDevice for Session {
    type Ptr = Pin<KBox<Self>>;

    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<Self::Ptr> {
        let current = current!();
        let mm = current.mm().ok_or(ESRCH)?;
        KBox::try_pin_init(
            try_pin_init!(Session {
                mirror <- RangeMirror::new(mm, Watcher, Counts::default()),
            }? Error),
            GFP_KERNEL,
        )
    }

    fn ioctl(this: Pin<&Self>, _file: &File, cmd: u32, arg: usize) -> Result<isize> {
        let arg = UserSlice::new(UserPtr::from_addr(arg), size_of::<[u64; 2]>());
        match cmd {
            PEEK_READ => this.read(arg),
            PEEK_COUNTS => this.counts(arg),
            _ => Err(ENOTTY),
        }?;
        Ok(0)
    }
}
