// SPDX-License-Identifier: GPL-2.0

//! XPMEM: processes map ranges of each other's address spaces. See `xpmem.h`.
//!
//! An attachment may sit behind a link that takes time and loses messages (`link_delay_us`,
//! `link_loss_percent`): what the exporter's kernel takes away is freed only when the other side
//! has acknowledged that it is torn down.

mod abi;
mod attachment;
mod counters;
mod ids;
mod link;
mod process;
mod registry;
mod segment;

use kernel::{
    fs::File,
    miscdevice::{
        MiscDevice,
        MiscDeviceOptions,
        MiscDeviceRegistration, //
    },
    prelude::*,
    sync::Arc,
    uaccess::UserPtr, //
};

use crate::{
    link::Link,
    process::Process,
    registry::Registry, //
};

module! {
    type: Xpmem,
    name: "xpmem",
    authors: ["The mmu_notifier_rust developers"],
    description: "Maps ranges of other processes' address spaces",
    license: "GPL",
    params: {
        link_delay_us: u32 {
            default: 0,
            description: "Microseconds that a message to an attacher's node takes",
        },
        link_loss_percent: u32 {
            default: 0,
            description: "How many of the messages are lost",
        },
    },
}

kernel::sync::global_lock! {
    // SAFETY: The module's initialisation comes before all uses. Unsafe since the kernel crate has
    // no other way from the open of a misc device to data of the module.
    unsafe(uninit) static REGISTRY: Mutex<Option<Arc<Registry>>> = None;
}

struct Xpmem {
    _device: Pin<KBox<MiscDeviceRegistration<Opened>>>,
}

impl kernel::Module for Xpmem {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let link = Link::new(
            *module_parameters::link_delay_us.value_ref(),
            *module_parameters::link_loss_percent.value_ref(),
        )?;
        let registry = Registry::new(link)?;
        // SAFETY: Called once, before the device is there. For the reason, see `REGISTRY`.
        unsafe { REGISTRY.init() };
        *REGISTRY.lock() = Some(registry);
        let options = MiscDeviceOptions { name: c"xpmem" };
        let device = KBox::pin_init(MiscDeviceRegistration::register(options), GFP_KERNEL);
        match device {
            Ok(device) => Ok(Xpmem { _device: device }),
            Err(error) => {
                forget_registry();
                Err(error)
            }
        }
    }
}

impl Drop for Xpmem {
    fn drop(&mut self) {
        // No file is open any more, and none can be opened.
        forget_registry();
    }
}

fn forget_registry() {
    let registry = REGISTRY.lock().take();
    drop(registry);
}

/// An open file of the device.
struct Opened {
    registry: Arc<Registry>,
    process: Arc<Process>,
}

#[vtable]
impl MiscDevice for Opened {
    type Ptr = KBox<Self>;

    fn open(_file: &File, _device: &MiscDeviceRegistration<Self>) -> Result<KBox<Self>> {
        let registry = REGISTRY.lock().clone().ok_or(ENODEV)?;
        let process = registry.open()?;
        Ok(KBox::new(Opened { registry, process }, GFP_KERNEL)?)
    }

    fn ioctl(opened: &Self, _file: &File, command: u32, arg: usize) -> Result<isize> {
        opened.command(command, UserPtr::from_addr(arg))
    }

    #[cfg(CONFIG_COMPAT)]
    fn compat_ioctl(_opened: &Self, _file: &File, _command: u32, _arg: usize) -> Result<isize> {
        // The structures of 32-bit programs differ, and there is no user of them.
        Err(ENOTTY)
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.registry.close(&self.process);
    }
}

impl Opened {
    fn command(&self, command: u32, arg: UserPtr) -> Result<isize> {
        match command {
            abi::VERSION => return Ok(abi::CURRENT_VERSION),
            abi::MAKE..=abi::FORK_END => {}
            _ => return Err(ENOTTY),
        }
        let registry = &*self.registry;
        // By the caller, and not by the file: a child can have inherited that.
        let caller = registry.current()?;
        match command {
            abi::MAKE => {
                let segid = caller.make(&abi::Make::read(arg)?)?;
                abi::Make::answer(arg, segid).inspect_err(|_| {
                    let _ = caller.remove(segid);
                })?;
            }
            abi::REMOVE => {
                let segid = abi::word(arg)? as i64;
                registry.check_owner(&caller, segid, |other| other.segment(segid).is_ok())?;
                caller.remove(segid)?;
            }
            abi::GET => {
                let wanted = abi::Get::read(arg)?;
                let apid = caller.get(registry.segment(wanted.segid)?, wanted.write)?;
                abi::Get::answer(arg, apid).inspect_err(|_| {
                    let _ = caller.release(apid);
                })?;
            }
            abi::RELEASE => {
                let apid = abi::word(arg)? as i64;
                registry.check_owner(&caller, apid, |other| other.has_permit(apid))?;
                caller.release(apid)?;
            }
            abi::ATTACH => {
                let wanted = abi::Attach::read(arg)?;
                registry
                    .check_owner(&caller, wanted.apid, |other| other.has_permit(wanted.apid))?;
                // Users do not expect to be interrupted by a signal: they are not, to them.
                let vaddr = caller.attach(&wanted).map_err(|error| match error {
                    EINTR => ERESTARTNOINTR,
                    error => error,
                })?;
                abi::Attach::answer(arg, vaddr).or_else(|error| {
                    caller.detach(vaddr)?;
                    Err(error)
                })?;
            }
            abi::DETACH => caller.detach(abi::word(arg)? as usize)?,
            abi::FORK_BEGIN | abi::FORK_END => {}
            _ => return Err(ENOTTY),
        }
        Ok(0)
    }
}
