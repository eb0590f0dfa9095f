// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The order in which subscriptions are shown.

use std::cmp::Reverse;

use crate::debugfs::Record;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    Time,
    Calls,
    Worst,
    Age,
}

impl Order {
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "time" => Self::Time,
            "calls" => Self::Calls,
            "worst" => Self::Worst,
            "age" => Self::Age,
            _ => return None,
        })
    }

    pub fn of_key(key: u8) -> Option<Self> {
        Some(match key {
            b't' => Self::Time,
            b'c' => Self::Calls,
            b'w' => Self::Worst,
            b'a' => Self::Age,
            _ => return None,
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Calls => "calls",
            Self::Worst => "worst",
            Self::Age => "age",
        }
    }

    fn field(self) -> &'static str {
        match self {
            Self::Time => "time_ns",
            Self::Calls => "calls",
            Self::Worst => "worst_ns",
            Self::Age => "age_ns",
        }
    }

    /// The most first; what is not known last; the same always in the same order.
    pub fn sort(self, records: &mut [Record]) {
        records.sort_by_cached_key(|record| {
            (
                Reverse(record.number(self.field())),
                Reverse(record.number("calls")),
                record.number("pid"),
                record.text("id").to_string(),
            )
        });
    }
}

#[cfg(test)]
mod tests {
    use super::Order;
    use crate::debugfs::records;

    fn sorted(order: Order) -> Vec<u64> {
        let mut records = records(
            "pid id age_ns calls time_ns worst_ns comm\n\
             1 a 30 5 100 60 x\n\
             2 b - - - - x\n\
             3 c 20 7 300 50 x\n\
             4 d 40 7 200 70 x\n",
        );
        order.sort(&mut records);
        records.iter().filter_map(|r| r.number("pid")).collect()
    }

    #[test]
    fn orders() {
        assert_eq!([3, 4, 1, 2], sorted(Order::Time)[..]);
        assert_eq!([3, 4, 1, 2], sorted(Order::Calls)[..]);
        assert_eq!([4, 1, 3, 2], sorted(Order::Worst)[..]);
        assert_eq!([4, 1, 3, 2], sorted(Order::Age)[..]);
    }

    #[test]
    fn names() {
        for order in [Order::Time, Order::Calls, Order::Worst, Order::Age] {
            assert_eq!(Some(order), Order::named(order.name()));
            assert_eq!(Some(order), Order::of_key(order.name().as_bytes()[0]));
        }
        assert_eq!(None, Order::named("pid"));
    }
}
