// SPDX-License-Identifier: GPL-2.0

//! A TLB device in the way of SGI's GRU: contexts that work on user memory through a TLB of their
//! own, by the user's addresses and without pinning a page. See `gru.h`.

mod cache;
mod engine;
mod instruction;
mod tlb;

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
    mm::Mm,
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        Arc,
        Mutex, //
    },
    uaccess::UserSlice, //
};

use crate::{
    engine::Engine,
    instruction::{
        Instruction,
        Raw, //
    },
    tlb::{
        Model,
        Tlb, //
    },
};

const MAGIC: u32 = 0xB7;
const GRU_CONFIGURE: u32 = _IOW::<[u32; 2]>(MAGIC, 0);
const GRU_RUN: u32 = _IOWR::<[u64; 2]>(MAGIC, 1);
const GRU_PEEK: u32 = _IOW::<[u64; 3]>(MAGIC, 2);
const GRU_FLUSH: u32 = _IO(MAGIC, 3);
const GRU_STATS: u32 = _IOR::<[u64; 8]>(MAGIC, 4);

const MODEL_RANGE: u32 = 0;
const MODEL_FLUSH: u32 = 1;
const TLB_MAX: u32 = 4096;
const TLB_DEFAULT: u32 = 64;
const COUNT_MAX: u32 = 4096;
const PEEK_MAX: u64 = 65536;

module! {
    type: GruModule,
    name: "gru",
    authors: ["The mmu_notifier_rust developers"],
    description: "Contexts with a software TLB",
    license: "GPL",
}

#[pin_data]
struct GruModule {
    #[pin]
    device: MiscDeviceRegistration<Context>,
}

impl kernel::InPlaceModule for GruModule {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            device <- MiscDeviceRegistration::register(MiscDeviceOptions { name: c"gru" }),
        })
    }
}

/// An open file.
#[pin_data]
struct Context {
    mm: ARef<Mm>,
    /// From the first use on.
    #[pin]
    tlb: Mutex<Option<Arc<dyn Tlb>>>,
}

impl Context {
    fn set_up(&self, model: Model, entries: u32) -> Result<Arc<dyn Tlb>> {
        let mm = self.mm.mmget_not_zero().ok_or(ESRCH)?;
        tlb::new(&mm, model, entries as usize)
    }

    /// The TLB, if need be as it is when nobody configures it.
    fn tlb(&self) -> Result<Arc<dyn Tlb>> {
        let mut tlb = self.tlb.lock();
        match &*tlb {
            Some(tlb) => Ok(tlb.clone()),
            None => Ok(tlb.insert(self.set_up(Model::Range, TLB_DEFAULT)?).clone()),
        }
    }

    fn configure(&self, arg: UserSlice) -> Result {
        let [model, entries]: [u32; 2] = arg.reader().read()?;
        let model = match model {
            MODEL_RANGE => Model::Range,
            MODEL_FLUSH => Model::Flush,
            _ => return Err(EINVAL),
        };
        if entries == 0 || entries > TLB_MAX {
            return Err(EINVAL);
        }
        let mut tlb = self.tlb.lock();
        if tlb.is_some() {
            return Err(EBUSY);
        }
        *tlb = Some(self.set_up(model, entries)?);
        Ok(())
    }

    fn run(&self, arg: usize) -> Result {
        let head = UserPtr::from_addr(arg);
        let [array]: [u64; 1] = UserSlice::new(head, size_of::<u64>()).reader().read()?;
        let tail = UserSlice::new(
            head.wrapping_byte_add(size_of::<u64>()),
            size_of::<[u32; 2]>(),
        );
        let [count, _done]: [u32; 2] = tail.reader().read()?;
        let size = instruction::SIZE as u64 * u64::from(count);
        if count == 0 || count > COUNT_MAX || array.checked_add(size).is_none() {
            return Err(EINVAL);
        }

        let done = head.wrapping_byte_add(size_of::<[u32; 3]>());
        write_u32(done, 0)?;
        let (finished, result) = self.work(UserPtr::from_addr(array as usize), count);
        write_u32(done, finished)?;
        result
    }

    /// Carries instructions out; tells how many, and why not the next.
    fn work(&self, array: UserPtr, count: u32) -> (u32, Result) {
        let mut finished = 0;
        let result = (|| {
            let tlb = self.tlb()?;
            let mut engine = Engine::new(&*tlb)?;
            while finished < count {
                let at = array.wrapping_byte_add(finished as usize * instruction::SIZE);
                let raw = Raw::read(&mut UserSlice::new(at, instruction::SIZE).reader())?;
                let result = Instruction::try_from(raw).and_then(|it| engine.execute(it));
                let status = result.map_or_else(|error| error.to_errno().unsigned_abs(), |()| 0);
                write_u32(at.wrapping_byte_add(instruction::STATUS), status)?;
                result?;
                finished += 1;
            }
            Ok(())
        })();
        (finished, result)
    }

    fn peek(&self, arg: UserSlice) -> Result {
        let [addr, length, buffer]: [u64; 3] = arg.reader().read()?;
        if length == 0 || length > PEEK_MAX {
            return Err(EINVAL);
        }
        addr.checked_add(length).ok_or(EINVAL)?;
        buffer.checked_add(length).ok_or(EINVAL)?;
        let mut bytes = KVVec::from_elem(0, length as usize, GFP_KERNEL)?;
        self.tlb()?.peek(addr as usize, &mut bytes)?;
        UserSlice::new(UserPtr::from_addr(buffer as usize), bytes.len())
            .writer()
            .write_slice(&bytes)
    }

    fn stats(&self, arg: UserSlice) -> Result {
        let tlb = self.tlb.lock().clone();
        let stats = match tlb {
            Some(tlb) => tlb.stats(),
            None => cache::Stats::default().as_words(self.mm.mmget_not_zero().is_none()),
        };
        arg.writer().write(&stats)
    }
}

fn write_u32(to: UserPtr, value: u32) -> Result {
    UserSlice::new(to, size_of::<u32>()).writer().write(&value)
}

#[vtable]
impl MiscDevice for Context {
    type Ptr = Pin<KBox<Self>>;

    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<Self::Ptr> {
        let mm = ARef::from(&**current!().mm().ok_or(ESRCH)?);
        KBox::try_pin_init(
            try_pin_init!(Context {
                mm,
                tlb <- new_mutex!(None),
            }? Error),
            GFP_KERNEL,
        )
    }

    fn ioctl(this: Pin<&Self>, _file: &File, cmd: u32, arg: usize) -> Result<isize> {
        let slice = |size| UserSlice::new(UserPtr::from_addr(arg), size);
        match cmd {
            GRU_CONFIGURE => this.configure(slice(size_of::<[u32; 2]>())),
            GRU_RUN => this.run(arg),
            GRU_PEEK => this.peek(slice(size_of::<[u64; 3]>())),
            GRU_FLUSH => this.tlb()?.flush(),
            GRU_STATS => this.stats(slice(size_of::<[u64; 8]>())),
            _ => Err(ENOTTY),
        }?;
        Ok(0)
    }
}
