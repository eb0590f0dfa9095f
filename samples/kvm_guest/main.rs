// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A tiny KVM guest whose memory is never left in peace.
//!
//! The guest reads and writes its memory and checks what it sees, while the
//! host side protects, unmaps, moves, copies on write, merges, migrates,
//! swaps, ages and collapses the very same memory, and checks in its turn. If
//! the kernel's MMU notifiers ever fail to tell KVM, one of the two sees a
//! wrong byte.
//!
//! Prints one line per event, `word key=value ...`: `start`, `progress` each
//! second, `unable`, `wrong`, `failed`, and at the end an `op` line per kind
//! and a `summary`. SIGTERM or SIGINT ends it. Exit status: 0 only when
//! nothing was wrong, 1 for wrong bytes, 2 for anything else.

mod abi;
mod check;
mod guest;
mod host;
mod pages;
mod region;
mod sys;
mod vm;
mod work;

use check::Wrong;
use host::{End, Host};
use region::HUGE;
use std::process::ExitCode;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};
use vm::{Exit, Vm};
use work::{Kind, Tally, KINDS};

const USAGE: &str =
    "usage: kvm_guest [--seconds N] [--pages N] [--operations a,b,...] [--self-test-corrupt]

  --seconds N          end by itself after N seconds (default: at SIGTERM)
  --pages N            pages of each operation's memory, 8 to 512 (default 64)
  --operations a,b     only these; all: ";

/// A guest that has not finished a loop for so long never will.
const STUCK: Duration = Duration::from_secs(60);

struct Options {
    seconds: Option<u64>,
    pages: usize,
    kinds: Vec<&'static Kind>,
    corrupt: bool,
}

fn usage() -> String {
    let names: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
    format!(
        "{USAGE}{}\n  --self-test-corrupt  change a byte behind the guest's back: must end with status 1",
        names.join(",")
    )
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        seconds: None,
        pages: 64,
        kinds: KINDS.iter().collect(),
        corrupt: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        let number = |text: String| text.parse().map_err(|_| format!("not a number: {text}"));
        match argument.as_str() {
            "--seconds" => options.seconds = Some(number(value()?)?),
            "--pages" => {
                options.pages = number(value()?)? as usize;
                if !(8..=512).contains(&options.pages) {
                    return Err("--pages takes 8 to 512".into());
                }
            }
            "--operations" => {
                options.kinds = value()?
                    .split(',')
                    .map(|name| {
                        KINDS
                            .iter()
                            .find(|kind| kind.name == name)
                            .ok_or(format!("no such operation: {name}"))
                    })
                    .collect::<Result<_, _>>()?;
            }
            "--self-test-corrupt" => options.corrupt = true,
            _ => return Err(format!("unknown argument: {argument}\n{}", usage())),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(message) => {
            eprintln!("kvm_guest: {message}");
            return ExitCode::from(2);
        }
    };
    // Blocked before any thread starts, so that only `watch` takes them.
    let signals = sys::EndSignals::block();
    match run(&options, &signals) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("kvm_guest: {message}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options, signals: &sys::EndSignals) -> Result<ExitCode, String> {
    let owners: Vec<_> = options
        .kinds
        .iter()
        .flat_map(|kind| vec![kind.name; kind.regions])
        .collect();
    let regions = owners.len();
    let bytes = (regions + 1) * HUGE;
    let mut memory = sys::Memory::aligned(bytes, HUGE).map_err(|e| format!("memory: {e}"))?;
    let vm = Vm::new(&mut memory).map_err(|e| format!("cannot make a virtual machine: {e}"))?;
    let host = Host::new(memory);
    let tallies: Vec<_> = options.kinds.iter().map(|_| Tally::default()).collect();
    println!(
        "start pid={} memory={bytes} regions={regions}",
        std::process::id()
    );

    let watch = Watch {
        options,
        host: &host,
        tallies: &tallies,
        regions,
        started: Instant::now(),
    };
    thread::scope(|scope| {
        let host = &host;
        let mut index = 0;
        let mut ready = Vec::new();
        for (kind, tally) in options.kinds.iter().zip(&tallies) {
            ready.push((kind, tally, kind.prepare(host, index, options.pages)));
            index += kind.regions;
        }
        scope.spawn(|| run_vcpu(host, vm, &owners));
        for (kind, tally, worker) in ready {
            scope.spawn(move || {
                report(host, kind, worker.map_or_else(|end| end, |w| w.work(tally)))
            });
        }
        watch.until_end(signals);
        host.end();
    });
    watch.print_summary();

    let failed = host.failed.load(Relaxed);
    Ok(match host.wrong.load(Relaxed) {
        0 if failed => ExitCode::from(2),
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(1),
    })
}

/// Says why a worker has ended.
fn report(host: &Host, kind: &Kind, end: End) {
    match end {
        End::Told => {}
        End::Wrong(wrong) => host.report_wrong(&wrong),
        End::Failed(error) => {
            host.report_failure(&format!("operation={} error=\"{error}\"", kind.name))
        }
        End::Unable(why) => println!("unable operation={} reason=\"{why}\"", kind.name),
    }
}

/// Runs the guest until the end; `owners` names each region's operation.
fn run_vcpu(host: &Host, mut vm: Vm, owners: &[&'static str]) {
    while !host.ended() {
        match vm.run() {
            Ok(Exit::Doorbell) => host.ring(),
            Ok(Exit::Interrupted) => {}
            Ok(Exit::Refused(address)) if host.wait_out_window(address as usize) => {}
            Ok(Exit::Refused(address)) => {
                host.report_failure(&format!(
                    "vcpu error=\"access to the line at {address:#x} refused\""
                ));
            }
            Ok(Exit::Wrong {
                address,
                expected,
                seen,
            }) => host.report_wrong(&Wrong {
                region: owners
                    .get(region::index_of(address as usize))
                    .unwrap_or(&"none"),
                seen_by: "guest",
                address: address as usize,
                expected,
                seen,
                words: 1,
            }),
            Ok(Exit::Other(reason)) => host.report_failure(&format!("vcpu exit_reason={reason}")),
            Err(error) => host.report_failure(&format!("vcpu error=\"{error}\"")),
        }
    }
}

/// Follows the run and tells about it.
struct Watch<'a> {
    options: &'a Options,
    host: &'a Host,
    tallies: &'a [Tally],
    regions: usize,
    started: Instant,
}

impl Watch<'_> {
    /// Prints a line each second until a signal, the time or a failure ends it.
    fn until_end(&self, signals: &sys::EndSignals) {
        let mut loops = 0;
        let mut last_loop = Instant::now();
        while !self.host.ended() && !signals.wait(1000) {
            println!("progress {}{}", self.numbers(), self.rounds());
            let now = self.host.loops.load(Relaxed);
            if now != loops {
                (loops, last_loop) = (now, Instant::now());
            } else if last_loop.elapsed() > STUCK {
                // Its thread is in the kernel and will not come back.
                println!("failed vcpu error=\"no loop for {} s\"", STUCK.as_secs());
                std::process::exit(2);
            }
            let seconds = self.started.elapsed().as_secs();
            if self.options.seconds.is_some_and(|end| seconds >= end) {
                break;
            }
            if self.options.corrupt && seconds >= 2 {
                region::corrupt(self.host, 0);
            }
        }
    }

    fn numbers(&self) -> String {
        format!(
            "seconds={:.1} loops={} verified={} refused_writes={} wrong={}",
            self.started.elapsed().as_secs_f64(),
            self.host.loops.load(Relaxed),
            region::bytes_checked_by_guest(self.host, self.regions) + self.bytes_checked_by_host(),
            self.host.faults.load(Relaxed),
            self.host.wrong.load(Relaxed),
        )
    }

    fn bytes_checked_by_host(&self) -> u64 {
        self.tallies
            .iter()
            .map(|tally| tally.bytes.load(Relaxed))
            .sum()
    }

    fn rounds(&self) -> String {
        let mut text = String::new();
        for (kind, tally) in self.options.kinds.iter().zip(self.tallies) {
            text += &format!(" {}={}", kind.name, tally.done.load(Relaxed));
        }
        text
    }

    fn print_summary(&self) {
        for (kind, tally) in self.options.kinds.iter().zip(self.tallies) {
            println!(
                "op name={} done={} not_done={} {}={} verified={}",
                kind.name,
                tally.done.load(Relaxed),
                tally.not_done.load(Relaxed),
                kind.effect,
                tally.pages.load(Relaxed),
                tally.bytes.load(Relaxed),
            );
        }
        println!("summary {}", self.numbers());
    }
}
