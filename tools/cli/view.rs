// SPDX-License-Identifier: GPL-2.0 OR MIT

//! What `top` shows, as lines.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::time::Instant;

use crate::debugfs::{Files, Record};
use crate::json::Json;
use crate::order::Order;
use crate::tasks::{self, Task};

/// What the files hold, read one after the other.
pub struct Snapshot {
    at: Instant,
    mode: Option<Record>,
    totals: BTreeMap<String, Option<u64>>,
    stuck: Vec<Record>,
    /// Tasks that are inside a driver's callback at this moment.
    within: Vec<Task>,
    subscriptions: Vec<Record>,
}

impl Snapshot {
    pub fn read(files: &Files, order: Order) -> io::Result<Self> {
        // What is stuck is the news; the list of all may take a while.
        let stuck = files.read("stuck")?;
        let within = tasks::in_core()
            .found
            .into_iter()
            .filter(|task| task.place.callback.is_some())
            .collect();
        let mut snapshot = Self {
            at: Instant::now(),
            mode: files.read("mode")?.into_iter().next(),
            totals: files
                .read("totals")?
                .iter()
                .map(|total| (total.text("name").to_string(), total.number("value")))
                .collect(),
            stuck,
            within,
            subscriptions: files.read("subscriptions")?,
        };
        snapshot.sort(order);
        Ok(snapshot)
    }

    pub fn sort(&mut self, order: Order) {
        order.sort(&mut self.subscriptions);
    }

    pub fn json(&self) -> Json {
        let list = |records: &[Record]| Json::List(records.iter().map(Record::json).collect());
        let totals = self
            .totals
            .iter()
            .map(|(name, value)| (name.clone().into(), Json::from(*value)))
            .collect();
        Json::object([
            ("mode", self.mode.as_ref().map_or(Json::Null, Record::json)),
            ("totals", Json::Object(totals)),
            ("stuck", list(&self.stuck)),
            (
                "in_callbacks",
                Json::List(self.within.iter().map(Task::json).collect()),
            ),
            ("subscriptions", list(&self.subscriptions)),
        ])
    }

    pub fn lines(&self, before: Option<&Snapshot>) -> Lines {
        let mut head = vec![self.summary()];
        let alarms = self.alarms(before);
        head.extend(alarms.iter().cloned());
        let earlier = before.map(Self::calls).unwrap_or_default();
        let seconds = before.map_or(0.0, |before| {
            self.at.duration_since(before.at).as_secs_f64()
        });
        // Calls in a second since the last look.
        let rate = |record| {
            let calls = Record::number(record, "calls")?;
            let new = calls.checked_sub(*earlier.get(&name(record))?)?;
            Some((new as f64 / seconds) as u64)
        };
        let rows = self
            .subscriptions
            .iter()
            .map(|record| row(record, rate(record)))
            .collect();
        Lines {
            alarms: 1..1 + alarms.len(),
            head,
            titles: titles(),
            rows,
        }
    }

    fn summary(&self) -> String {
        let total = |name: &str| self.totals.get(name).copied().flatten();
        let count = |name: &str| total(name).map_or("-".to_string(), |count| count.to_string());
        let mode = self.mode.as_ref().map_or("-", |mode| mode.text("mode"));
        format!(
            "{mode} mode; processes {}, subscriptions {} whole + {} intervals; calls {}, {}, \
             worst {}",
            count("processes"),
            count("whole"),
            count("intervals"),
            count("calls"),
            duration(total("time_ns")),
            duration(total("worst_ns")),
        )
    }

    /// What is stuck, as the core says; before that, who has not come out since the last look.
    fn alarms(&self, before: Option<&Snapshot>) -> Vec<String> {
        let mut alarms: Vec<String> = self.stuck.iter().map(stuck).collect();
        let told = |task: &Task| {
            self.stuck
                .iter()
                .any(|record| record.number("tid") == Some(task.thread.into()))
        };
        let stays = |task: &Task| {
            before.is_some_and(|before| {
                before
                    .within
                    .iter()
                    .any(|other| other.thread == task.thread && other.place == task.place)
            })
        };
        alarms.extend(
            self.within
                .iter()
                .filter(|task| !told(task) && stays(task))
                .map(|task| format!("IN A CALLBACK {}", task.told())),
        );
        alarms
    }

    /// How many calls each subscription had.
    fn calls(&self) -> HashMap<Name<'_>, u64> {
        self.subscriptions
            .iter()
            .filter_map(|record| Some((name(record), record.number("calls")?)))
            .collect()
    }
}

/// What tells one subscription from all others.
type Name<'a> = [&'a str; 3];

fn name(record: &Record) -> Name<'_> {
    ["pid", "mm", "id"].map(|field| record.text(field))
}

/// The parts of a screen.
pub struct Lines {
    pub head: Vec<String>,
    /// Which lines of the head are alarms.
    pub alarms: std::ops::Range<usize>,
    pub titles: String,
    pub rows: Vec<String>,
}

fn stuck(record: &Record) -> String {
    format!(
        "STUCK for {} in {}: {}/{} of process {}, for process {}; waiting for it: {}",
        duration(record.number("age_ns")),
        record.driver(),
        record.text("comm"),
        record.text("tid"),
        record.text("pid"),
        record.text("for_pid"),
        record.get("waiting").unwrap_or("nobody")
    )
}

fn titles() -> String {
    line(
        [
            "PID", "COMM", "KIND", "CALLS", "CALLS/S", "TIME", "WORST", "AGE",
        ]
        .map(str::to_string),
        "DRIVER",
    )
}

fn row(record: &Record, rate: Option<u64>) -> String {
    line(
        [
            record.text("pid").to_string(),
            record.text("comm").to_string(),
            record.text("kind").to_string(),
            record.text("calls").to_string(),
            rate.map_or("-".to_string(), |rate| rate.to_string()),
            duration(record.number("time_ns")),
            duration(record.number("worst_ns")),
            duration(record.number("age_ns")),
        ],
        &record.driver(),
    )
}

fn line(fields: [String; 8], driver: &str) -> String {
    let [pid, comm, kind, calls, rate, time, worst, age] = fields;
    format!(
        "{pid:>7} {comm:<15} {kind:<8} {calls:>10} {rate:>8} {time:>7} {worst:>7} {age:>7}  {driver}"
    )
}

/// Nanoseconds in three digits or so.
fn duration(nanoseconds: Option<u64>) -> String {
    let Some(time) = nanoseconds else {
        return "-".to_string();
    };
    const STEPS: [(u64, u64, &str); 6] = [
        (1_000, 1, "ns"),
        (1_000_000, 1_000, "us"),
        (1_000_000_000, 1_000_000, "ms"),
        (120_000_000_000, 1_000_000_000, "s"),
        (7_200_000_000_000, 60_000_000_000, "min"),
        (u64::MAX, 3_600_000_000_000, "h"),
    ];
    let below = STEPS.iter().find(|(limit, ..)| time < *limit);
    let (_, unit, name) = below.unwrap_or(&STEPS[5]);
    let whole = time / unit;
    if *unit > 1 && whole < 10 {
        format!("{whole}.{}{name}", time % unit * 10 / unit)
    } else {
        format!("{whole}{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::{duration, row, stuck};
    use crate::debugfs::records;

    #[test]
    fn durations() {
        assert_eq!("-", duration(None));
        assert_eq!("7ns", duration(Some(7)));
        assert_eq!("1.8us", duration(Some(1877)));
        assert_eq!("91us", duration(Some(91230)));
        assert_eq!("12s", duration(Some(12_004_000_000)));
        assert_eq!("2.5h", duration(Some(9_000_000_000_000)));
        assert_eq!("5124095h", duration(Some(u64::MAX)));
    }

    #[test]
    fn names_the_stuck() {
        let records = records(
            "tid pid for_pid kind age_ns callback module waiting comm\n\
             815 812 - whole 12004000000 mnt_op_range_start mmu_notifier_test 820,821 vm\n",
        );
        assert_eq!(
            "STUCK for 12s in mnt_op_range_start [mmu_notifier_test]: vm/815 of process 812, \
             for process -; waiting for it: 820,821",
            stuck(&records[0])
        );
    }

    #[test]
    fn a_row() {
        let records = records(
            "pid kind age_ns calls time_ns worst_ns callback module comm\n\
             812 whole - 310 91230 1877 kvm_start - qemu\n",
        );
        assert_eq!(
            "    812 qemu            whole           310       12    91us   1.8us       -  kvm_start",
            row(&records[0], Some(12))
        );
    }
}
