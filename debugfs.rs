// SPDX-License-Identifier: GPL-2.0

//! What the files in debugfs show. `rust/debugfs.c` makes them, `Documentation/observing.rst` is
//! for their readers.

use core::ptr;
use kernel::{
    bindings,
    fmt,
    mm::Mm,
    seq_file::SeqFile,
    seq_print,
    sync::rcu, //
};

use crate::{
    account::{
        self,
        Sums, //
    },
    ffi,
    fields::{
        Comm,
        Hashed,
        OrDash,
        Symbol, //
    },
    mode,
    monitor,
    survey::{
        self,
        Kind, //
    },
    ticks::{
        jiffies,
        nanoseconds, //
    },
    waiting,
    watchdog::{
        self,
        Stuck, //
    }, //
};

/// Makes the files; called once.
///
/// Context: sleeps.
pub(crate) fn init() {
    account::init();
    survey::init();
    // SAFETY: Called once, when all that is shown is there.
    unsafe { ffi::mmn_debugfs_create() };
}

/// Removes the files, when nobody reads or writes any more, and stops counting.
///
/// Context: sleeps.
#[cfg(MODULE)]
pub(crate) fn exit() {
    // SAFETY: Called once, after `init()`.
    unsafe { ffi::mmn_debugfs_remove() };
    account::switch(false);
}

/// Defines functions that C calls to have something shown.
macro_rules! shows {
    ($(
        $(#[$meta:meta])*
        fn $name:ident($seq:ident $(, $arg:ident: $type:ty)?) $body:block
    )*) => {$(
        $(#[$meta])*
        ///
        /// # Safety
        ///
        /// The pointers must be valid, and the first one nobody else's meanwhile.
        #[no_mangle]
        unsafe extern "C" fn $name(seq: *mut bindings::seq_file $(, $arg: *const $type)?) {
            // SAFETY: By this function's own requirements.
            let ($seq, $($arg)?) = unsafe { (SeqFile::from_raw(seq), $(&*$arg)?) };
            $body
        }
    )*};
}

shows! {
    /// The names of the fields of `subscriptions`.
    fn mmn_show_names(seq) {
        seq_print!(
            seq,
            "pid mm id kind start end age_ns calls time_ns worst_ns callback module comm\n"
        );
    }

    /// The subscriptions of a process.
    fn mmn_show_process(seq, process: ffi::mmn_process) {
        // C may let subscriptions go unseen, so there are no records while it may.
        let counted = account::is_on() && mode::is_native();
        // SAFETY: The process was found with its `mm` pinned.
        survey::visit(unsafe { Mm::from_raw(process.mm) }, |entry| {
            seq_print!(
                seq,
                "{} {} {} {} {} {} {} {} {} {}\n",
                process.pid,
                Hashed(process.mm.cast()),
                OrDash((!entry.key.is_null()).then_some(Hashed(entry.key))),
                match entry.kind {
                    Kind::Whole => "whole",
                    Kind::Interval(..) => "interval",
                    Kind::More(_) => "more",
                },
                OrDash(match entry.kind {
                    Kind::Whole => None,
                    Kind::Interval(start, _) | Kind::More(start) => Some(Hex(start)),
                }),
                OrDash(match entry.kind {
                    Kind::Interval(_, last) => Some(Hex(last.wrapping_add(1))),
                    Kind::Whole | Kind::More(_) => None,
                }),
                OrDash(entry.age.map(nanoseconds)),
                Counted((counted && !entry.key.is_null()).then(|| account::of(entry.key))),
                Symbol(entry.driver),
                Comm(&process.comm)
            );
            !is_enough(seq)
        });
    }

    /// The file `totals`.
    fn mmn_show_totals(seq) {
        let (mut processes, mut whole, mut intervals) = (0usize, 0usize, 0usize);
        for_each_process(|mm| {
            let before = whole.wrapping_add(intervals);
            survey::visit(mm, |entry| {
                let kind = match entry.kind {
                    Kind::Whole => &mut whole,
                    Kind::Interval(..) => &mut intervals,
                    Kind::More(_) => return true,
                };
                *kind = kind.wrapping_add(1);
                !is_enough(seq)
            });
            if whole.wrapping_add(intervals) != before {
                processes = processes.wrapping_add(1);
            }
        });
        let sums = account::is_on().then(account::totals);
        let mut stuck = 0usize;
        for_each_stuck(|_, _| stuck = stuck.wrapping_add(1));
        seq_print!(
            seq,
            "name value\nprocesses {processes}\nwhole {whole}\nintervals {intervals}\n"
        );
        seq_print!(
            seq,
            "calls {}\ntime_ns {}\nworst_ns {}\n",
            OrDash(sums.map(|sums| sums.calls)),
            OrDash(sums.map(|sums| sums.time)),
            OrDash(sums.map(|sums| sums.worst))
        );
        // SAFETY: No preconditions.
        let reported = unsafe { ffi::mmn_stuck_callbacks() };
        seq_print!(seq, "stuck {stuck}\nstuck_reported {reported}\n");
    }

    /// The file `mode`.
    fn mmn_show_mode(seq) {
        let accounting = u8::from(account::is_on());
        seq_print!(
            seq,
            "mode accounting tracing\n{} {} {}\n",
            if mode::is_native() { "native" } else { "compatible" },
            accounting,
            u8::from(mode::observers() > i32::from(accounting))
        );
    }

    /// The file `stuck`.
    fn mmn_show_stuck(seq) {
        seq_print!(seq, "tid pid for_pid kind age_ns callback module waiting comm\n");
        for_each_stuck(|stuck, rcu| {
            let reader = &stuck.reader;
            seq_print!(
                seq,
                "{} {} {} {} {} {} ",
                reader.tid,
                reader.pid,
                OrDash((reader.for_pid != 0).then_some(reader.for_pid)),
                if stuck.key.is_list() { "whole" } else { "interval" },
                nanoseconds(stuck.age),
                Symbol(stuck.callback)
            );
            let mut separator = "";
            waiting::for_each(stuck.key, rcu, |task| {
                // SAFETY: The section keeps the task.
                seq_print!(seq, "{separator}{}", unsafe { ffi::mmn_tid(task) });
                separator = ",";
            });
            let nobody = if separator.is_empty() { "-" } else { "" };
            seq_print!(seq, "{nobody} {}\n", Comm(&reader.comm));
        });
    }
}

/// Whether what else is written would be lost: for want of room, so that all is written anew, or
/// for its reader, who is killed.
fn is_enough(seq: &SeqFile) -> bool {
    // SAFETY: It is one of C's, of the same layout, and nobody else's meanwhile.
    unsafe { ffi::mmn_is_enough(ptr::from_ref(seq).cast_mut().cast()) }
}

/// What the file `accounting` shows.
#[no_mangle]
extern "C" fn mmn_accounting() -> bool {
    account::is_on()
}

/// Somebody has written to it.
#[no_mangle]
extern "C" fn mmn_account(on: bool) {
    account::switch(on);
}

/// Visits the address spaces of all processes that may have subscriptions.
fn for_each_process(mut visit: impl FnMut(&Mm)) {
    let mut process = ffi::mmn_process {
        mm: ptr::null_mut(),
        pid: 0,
        comm: [0; bindings::TASK_COMM_LEN as usize],
    };
    // SAFETY: `process` is valid for writes. What is found is pinned until it is dropped.
    while unsafe { ffi::mmn_next_process(process.pid.wrapping_add(1), &mut process) } {
        // SAFETY: As above.
        unsafe {
            visit(Mm::from_raw(process.mm));
            bindings::mmdrop(process.mm);
        }
    }
}

/// Visits the callbacks that are stuck now.
fn for_each_stuck(mut visit: impl FnMut(&Stuck, &rcu::Guard)) {
    let Some(limit) = watchdog::limit() else {
        return;
    };
    monitor::for_each_seen(|seen| {
        let now = jiffies();
        if now.wrapping_sub(seen.since) >= limit {
            let rcu = rcu::read_lock();
            if let Some(stuck) = watchdog::examine(seen, now, &rcu) {
                visit(&stuck, &rcu);
            }
        }
    });
}

/// An address.
struct Hex(usize);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// The three fields of sums.
struct Counted(Option<Sums>);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(Sums { calls, time, worst }) => write!(f, "{calls} {time} {worst}"),
            None => f.write_str("- - -"),
        }
    }
}
