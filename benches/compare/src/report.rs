//! Figures, and the table that is made of them.

use std::fmt::Write as _;

use serde::Serialize;

use crate::arguments::Arguments;
use crate::contestants::{Face, Role};
use crate::machine::Machine;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Work {
    OneBlocking,
    OneTask,
    Eight,
    SixtyFour,
    TwoHundredFiftySix,
    Fill,
    Replay,
    ReadFirst,
    ReadThousand,
}

/// Those with durable commands, with how many are in flight and how they are called; `None`: as they like.
pub(crate) const DURABLE: [(Work, usize, Option<Face>); 5] = [
    (Work::OneBlocking, 1, Some(Face::Threads)),
    (Work::OneTask, 1, Some(Face::Tasks)),
    (Work::Eight, 8, None),
    (Work::SixtyFour, 64, None),
    (Work::TwoHundredFiftySix, 256, None),
];

const ALL: [Work; 9] = [
    Work::OneBlocking,
    Work::OneTask,
    Work::Eight,
    Work::SixtyFour,
    Work::TwoHundredFiftySix,
    Work::Fill,
    Work::Replay,
    Work::ReadFirst,
    Work::ReadThousand,
];

impl Work {
    fn title(self) -> &'static str {
        match self {
            Work::OneBlocking => "durable commands, 1 in flight, from a thread",
            Work::OneTask => "durable commands, 1 in flight, from a task",
            Work::Eight => "durable commands, 8 in flight",
            Work::SixtyFour => "durable commands, 64 in flight",
            Work::TwoHundredFiftySix => "durable commands, 256 in flight",
            Work::Fill => "filling a history in vectors of 512, synced later",
            Work::Replay => "replay of a history by a cold start, typed",
            Work::ReadFirst => "reading from the middle: the first event",
            Work::ReadThousand => "reading from the middle: 1000 events",
        }
    }

    /// The unit of the table, and how many of it a figure is.
    fn unit(self) -> (&'static str, f64) {
        match self {
            Work::Replay => ("million a second", 1e-6),
            Work::ReadFirst | Work::ReadThousand => ("microseconds", 1e6),
            _ => ("thousand a second", 1e-3),
        }
    }

    fn is_time(self) -> bool {
        matches!(self, Work::ReadFirst | Work::ReadThousand)
    }
}

/// What one contestant reached in one round.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) work: Work,
    pub(crate) contestant: &'static str,
    pub(crate) role: Role,
    pub(crate) round: usize,
    /// A second, or seconds where it is a time.
    pub(crate) value: f64,
    /// What the probe just before it gave, where there was one.
    pub(crate) probe: Option<f64>,
}

/// The middle one, and the least and the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) greatest: f64,
}

impl Spread {
    /// `None` where there is no value.
    fn of(values: impl Iterator<Item = f64>) -> Option<Spread> {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_by(f64::total_cmp);
        let (least, greatest) = (*sorted.first()?, *sorted.last()?);
        Some(Spread { median: sorted[sorted.len() / 2], least, greatest })
    }
}

/// What one contestant reached in one work in all rounds.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    pub(crate) work: Work,
    pub(crate) contestant: &'static str,
    pub(crate) role: Role,
    pub(crate) value: Spread,
    /// Times the probe, round by round.
    pub(crate) to_probe: Option<Spread>,
    /// How many times as fast the best of ours is, round by round.
    pub(crate) ours_to_it: Option<Spread>,
    /// Not faster with one command in flight than a disk can be that is synced for each.
    pub(crate) synced: bool,
}

/// Everything, as it goes into the JSON.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) settings: &'a Arguments,
    pub(crate) lines: Vec<Line>,
    pub(crate) rounds: &'a [Figure],
}

/// More than this many times the best of all probes, with one command in flight and in every round, is not to be had from
/// a disk that is synced. It is a wide margin, because a shared disk has moments that no probe has met.
const SYNCED_TO_PROBE_MAX: f64 = 4.0;

/// The lines of the table, the fastest of each work first.
pub(crate) fn lines(figures: &[Figure]) -> Vec<Line> {
    let mut lines: Vec<Line> = ALL.into_iter().flat_map(|work| lines_of(work, figures)).collect();
    let probes = Spread::of(figures.iter().filter_map(|figure| figure.probe));
    let most = probes.map_or(f64::INFINITY, |probes| probes.greatest * SYNCED_TO_PROBE_MAX);
    let is_too_fast =
        |line: &&Line| matches!(line.work, Work::OneBlocking | Work::OneTask) && line.value.least > most;
    let unsynced: Vec<&str> = lines.iter().filter(is_too_fast).map(|line| line.contestant).collect();
    for line in lines.iter_mut().filter(|line| unsynced.contains(&line.contestant)) {
        line.synced = false;
        line.to_probe = None;
        line.ours_to_it = None;
    }
    lines
}

fn lines_of(work: Work, figures: &[Figure]) -> Vec<Line> {
    let figures: Vec<&Figure> = figures.iter().filter(|figure| figure.work == work).collect();
    let mut lines: Vec<Line> = Vec::new();
    for figure in &figures {
        if lines.iter().any(|line| line.contestant == figure.contestant) {
            continue;
        }
        let its = || figures.iter().filter(|other| other.contestant == figure.contestant);
        if let Some(value) = Spread::of(its().map(|figure| figure.value)) {
            let to_probe = Spread::of(its().filter_map(|figure| Some(figure.value / figure.probe?)));
            let Figure { contestant, role, .. } = **figure;
            lines.push(Line { work, contestant, role, value, to_probe, ours_to_it: None, synced: true });
        }
    }
    let sign = if work.is_time() { 1.0 } else { -1.0 };
    lines.sort_by(|a, b| (sign * a.value.median).total_cmp(&(sign * b.value.median)));
    if let Some(ours) = lines.iter().find(|line| line.role == Role::Ours).map(|line| line.contestant) {
        for line in lines.iter_mut().filter(|line| line.role != Role::Ours) {
            line.ours_to_it = times_as_fast(ours, line.contestant, work, &figures);
        }
    }
    lines
}

/// How many times as fast one is as the other, round by round.
fn times_as_fast(one: &str, other: &str, work: Work, figures: &[&Figure]) -> Option<Spread> {
    let of = |name: &str, round| {
        figures
            .iter()
            .find(|figure| figure.contestant == name && figure.round == round)
            .map(|figure| figure.value)
    };
    let mine = figures.iter().filter(|figure| figure.contestant == one);
    Spread::of(mine.filter_map(|figure| {
        let value = of(other, figure.round)?;
        Some(if work.is_time() { value / figure.value } else { figure.value / value })
    }))
}

/// The table, with the best peer of each work named below it.
pub(crate) fn table(machine: &Machine, lines: &[Line]) -> String {
    let mut text = head(machine);
    for work in ALL {
        let mut its = lines.iter().filter(|line| line.work == work).peekable();
        if its.peek().is_none() {
            continue;
        }
        let (unit, scale) = work.unit();
        let title = format!("{} ({unit})", work.title());
        row(&mut text, &format!("\n{title:<62} {:>19} {:>23}", "× probe", "ours to it"));
        for line in its.clone() {
            let Spread { median, least, greatest } = line.value;
            let value = format!(
                "{:>10} {:>10} .. {:>8}",
                number(median * scale),
                number(least * scale),
                number(greatest * scale)
            );
            let mark = match line {
                Line { synced: false, .. } => " (not synced)",
                Line { role: Role::Limit, .. } => " (limit)",
                _ => "",
            };
            let name = format!("{}{mark}", line.contestant);
            row(
                &mut text,
                &format!("  {name:<28} {value} {} {}", times(line.to_probe), times(line.ours_to_it)),
            );
        }
        if let Some(best) = its.find(|line| line.role == Role::Peer && line.synced)
            && let Some(ours) = best.ours_to_it
        {
            row(&mut text, &format!("  ours to the best peer, {}: {:.2} ×", best.contestant, ours.median));
        }
    }
    text
}

fn head(machine: &Machine) -> String {
    let Machine { cores, cpu, kernel, file_system, event_bytes, .. } = machine;
    format!(
        "{cores} cores, {cpu}, Linux {kernel}, {file_system}\n\
         an event of {event_bytes} bytes: {:.0} ns to write, {:.0} ns to parse; 256 bytes: SHA-256 {:.0} ns, CRC-32 {:.0} ns\n",
        machine.event_write_ns, machine.event_parse_ns, machine.sha256_ns, machine.crc32_ns
    )
}

fn row(text: &mut String, line: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{}", line.trim_end());
}

/// Three digits, or all before the point.
fn number(value: f64) -> String {
    let decimals = match value {
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

fn times(spread: Option<Spread>) -> String {
    let Some(Spread { median, least, greatest }) = spread else { return format!("{:>22}", "") };
    let between = format!("({} .. {})", number(least), number(greatest));
    format!("{:>6} {between:<15}", number(median))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(contestant: &'static str, role: Role, round: usize, value: f64) -> Figure {
        Figure { work: Work::Eight, contestant, role, round, value, probe: Some(10.0) }
    }

    #[test]
    fn the_best_peer_is_neither_ours_nor_a_limit_and_ratios_are_of_the_same_round() {
        let mut figures = vec![];
        for (round, noise) in [(0, 1.0), (1, 0.5), (2, 2.0)] {
            figures.push(figure("slow", Role::Peer, round, 50.0 * noise));
            figures.push(figure("bare", Role::Limit, round, 900.0 * noise));
            figures.push(figure("fast", Role::Peer, round, 100.0 * noise));
            figures.push(figure("tallybook", Role::Ours, round, 400.0 * noise));
        }
        let lines = lines(&figures);
        assert_eq!(
            lines.iter().map(|line| line.contestant).collect::<Vec<_>>(),
            ["bare", "tallybook", "fast", "slow"]
        );
        let same = |of: f64| Some(Spread { median: of, least: of, greatest: of });
        assert_eq!(lines[2].ours_to_it, same(4.0));
        assert_eq!(lines[2].to_probe, Some(Spread { median: 10.0, least: 5.0, greatest: 20.0 }));
        assert_eq!(lines[1].ours_to_it, None);
    }

    #[test]
    fn who_outruns_the_disk_is_out_of_the_ratios_of_all_durable_work() {
        let one =
            |contestant, role, value| Figure { work: Work::OneTask, ..figure(contestant, role, 0, value) };
        let lines = lines(&[
            one("tallybook", Role::Ours, 9.0),
            one("careless", Role::Peer, 41.0),
            one("careful", Role::Peer, 8.0),
            figure("tallybook", Role::Ours, 0, 60.0),
            figure("careless", Role::Peer, 0, 500.0),
        ]);
        for line in &lines {
            assert_eq!(line.synced, line.contestant != "careless");
            assert_eq!(line.ours_to_it.is_some(), line.contestant == "careful");
        }
    }

    #[test]
    fn less_time_is_better() {
        let time =
            |contestant, role, value| Figure { work: Work::ReadFirst, ..figure(contestant, role, 0, value) };
        let lines = lines(&[time("peer", Role::Peer, 6e-6), time("tallybook", Role::Ours, 2e-6)]);
        assert_eq!(lines[0].contestant, "tallybook");
        assert_eq!(lines[1].ours_to_it.map(|ours| (ours.median * 10.0).round()), Some(30.0));
    }
}
