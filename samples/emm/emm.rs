// SPDX-License-Identifier: GPL-2.0

//! The single-callback notifier, and a device that records what it is told.
//!
//! In 2008 two designs for MMU notifiers were on the table: a table of callbacks, and one function
//! that gets an operation code and a range (EMM). The kernel took the first; [`adapter`] gives the
//! second on top of it. The rest of this module is its user, `/dev/emm`; see `emm.h`.

mod adapter;
mod record;

use core::ops::Range as Span;
use kernel::{
    fs::File,
    ioctl::{
        _IO,
        _IOR,
        _IOW,
        _IOWR, //
    },
    miscdevice::{
        MiscDevice,
        MiscDeviceOptions,
        MiscDeviceRegistration, //
    },
    new_mutex,
    new_spinlock,
    prelude::*,
    sync::{
        Mutex,
        SpinLock, //
    },
    uaccess::UserSlice, //
};

use crate::{
    adapter::{
        Emm,
        EmmSubscription,
        Operation, //
    },
    record::{
        Counts,
        Log,
        Record,
        RECORDS, //
    },
};

const MAGIC: u32 = 0xB8;
const EMM_WATCH: u32 = _IOW::<[u64; 2]>(MAGIC, 0);
const EMM_READ: u32 = _IOWR::<[u64; 2]>(MAGIC, 1);
const EMM_COUNTS: u32 = _IOR::<Counts>(MAGIC, 2);
const EMM_ANSWER: u32 = _IO(MAGIC, 3);

module! {
    type: EmmModule,
    name: "emm",
    authors: ["The mmu_notifier_rust developers"],
    description: "Records what a single-callback notifier is told",
    license: "GPL",
}

#[pin_data]
struct EmmModule {
    #[pin]
    device: MiscDeviceRegistration<Session>,
}

impl kernel::InPlaceModule for EmmModule {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            device <- MiscDeviceRegistration::register(MiscDeviceOptions { name: c"emm" }),
        })
    }
}

/// Writes down every call.
#[pin_data]
struct Recorder {
    #[pin]
    log: SpinLock<Log>,
}

impl Emm for Recorder {
    fn callback(&self, operation: Operation<'_, '_>, range: Span<usize>) -> bool {
        let mut log = self.log.lock();
        log.add(&operation, &range);
        log.answer
    }
}

/// An open file.
#[pin_data]
struct Session {
    #[pin]
    recorder: EmmSubscription<Recorder>,
    /// Held while records are on their way out, so that no other reader gets the same.
    #[pin]
    reading: Mutex<()>,
}

impl Session {
    fn watch(&self, arg: UserSlice) -> Result {
        let [start, end]: [u64; 2] = arg.reader().read()?;
        if end <= start {
            return Err(EINVAL);
        }
        let _reading = self.reading.lock();
        self.recorder
            .log
            .lock()
            .restart(start as usize..end as usize);
        Ok(())
    }

    fn read(&self, arg: usize) -> Result {
        let records = UserPtr::from_addr(arg);
        let outputs = records.wrapping_byte_add(size_of::<u64>());
        let [address]: [u64; 1] = UserSlice::new(records, size_of::<u64>()).reader().read()?;
        let (mut input, mut output) =
            UserSlice::new(outputs, size_of::<[u32; 2]>()).reader_writer();
        let [room, _]: [u32; 2] = input.read()?;
        let room = room as usize;
        if room == 0 || room > RECORDS {
            return Err(EINVAL);
        }
        let mut records = KVVec::from_elem(Record::default(), room, GFP_KERNEL)?;

        let _reading = self.reading.lock();
        let (count, lost) = {
            let log = self.recorder.log.lock();
            (log.copy(&mut records), log.lost())
        };
        let size = count * size_of::<Record>();
        let mut out = UserSlice::new(UserPtr::from_addr(address as usize), size).writer();
        for record in &records[..count] {
            out.write(record)?;
        }
        output.write(&[count as u32, lost])?;
        if let Some(last) = records[..count].last() {
            self.recorder.log.lock().drop_until(last);
        }
        Ok(())
    }

    fn counts(&self, arg: UserSlice) -> Result {
        let counts = self.recorder.log.lock().counts();
        arg.writer().write(&counts)
    }

    fn answer(&self, arg: usize) -> Result {
        let answer = match arg {
            0 => false,
            1 => true,
            _ => return Err(EINVAL),
        };
        self.recorder.log.lock().answer = answer;
        Ok(())
    }
}

#[vtable]
impl MiscDevice for Session {
    type Ptr = Pin<KBox<Self>>;

    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<Self::Ptr> {
        let current = current!();
        let mm = current.mm().ok_or(ESRCH)?;
        let log = Log::new()?;
        KBox::try_pin_init(
            try_pin_init!(Session {
                recorder <- EmmSubscription::register(
                    mm,
                    try_pin_init!(Recorder { log <- new_spinlock!(log) }? Error),
                ),
                reading <- new_mutex!(()),
            }? Error),
            GFP_KERNEL,
        )
    }

    fn ioctl(this: Pin<&Self>, _file: &File, cmd: u32, arg: usize) -> Result<isize> {
        let slice = |size| UserSlice::new(UserPtr::from_addr(arg), size);
        match cmd {
            EMM_WATCH => this.watch(slice(size_of::<[u64; 2]>())),
            EMM_READ => this.read(arg),
            EMM_COUNTS => this.counts(slice(size_of::<Counts>())),
            EMM_ANSWER => this.answer(arg),
            _ => Err(ENOTTY),
        }?;
        Ok(0)
    }
}
