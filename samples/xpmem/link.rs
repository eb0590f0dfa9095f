// SPDX-License-Identifier: GPL-2.0

//! A simulated link to the node of an attacher: messages take time, and some are lost.

use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

/// More loss than this, in percent, would make a teardown endless for all practical purposes.
const LOSS_MAX: u32 = 90;

/// The longest delay of one message, in microseconds.
const DELAY_MAX: u32 = 1_000_000;

/// How long the messages of one teardown may take on the average, in microseconds. The kernel warns
/// of a task that sleeps for two minutes.
const TEARDOWN_MAX: u64 = 10_000_000;

/// How long to wait for an acknowledgement that does not come, beyond the time of the round trip.
const PATIENCE: Delta = Delta::from_micros(50);

/// The link, with its parameters.
pub(crate) struct Link {
    delay_us: u32,
    loss_percent: u32,
    random: Atomic<u64>,
}

impl Link {
    /// # Errors
    ///
    /// `EINVAL` for a delay of more than a second, a loss of more than 90 percent, or so much of
    /// both that a teardown would take too long.
    pub(crate) fn new(delay_us: u32, loss_percent: u32) -> Result<Self> {
        if delay_us > DELAY_MAX || loss_percent > LOSS_MAX {
            return Err(EINVAL);
        }
        // Both ways must come off, each does in this share of 100; a try takes two delays at most.
        let share = u64::from(100 - loss_percent);
        if 2 * u64::from(delay_us) * 100 * 100 / (share * share) > TEARDOWN_MAX {
            return Err(EINVAL);
        }
        Ok(Link {
            delay_us,
            loss_percent,
            random: Atomic::new(1),
        })
    }

    /// Sends a request and waits until it was acknowledged.
    ///
    /// `act` is what the other node does on a request; it is called again for each one that gets
    /// there, since an acknowledgement can be lost too.
    ///
    /// Context: sleeps; allocates nothing.
    pub(crate) fn request(&self, mut act: impl FnMut()) {
        loop {
            if self.carry() {
                act();
                if self.carry() {
                    return;
                }
            }
            fsleep(PATIENCE);
        }
    }

    /// Carries one message; returns whether it got there.
    fn carry(&self) -> bool {
        if self.delay_us != 0 {
            fsleep(Delta::from_micros(i64::from(self.delay_us)));
        }
        self.loss_percent == 0 || self.dice() >= self.loss_percent
    }

    /// A number below 100.
    fn dice(&self) -> u32 {
        // Two that read the same state throw the same number, which does no harm.
        let next = self
            .random
            .load(Relaxed)
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.random.store(next, Relaxed);
        ((next >> 33) % 100) as u32
    }
}
