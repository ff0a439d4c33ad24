//! From measured cells to one table, with a mark at every row that is ahead of ours.

use super::loads::Idle;
use super::servers::{Candidate, MAY, Role, TOKIO};
use super::text::{columns, figure, or_dash, spread};
use crate::load::report::Report;
use crate::stats::Median;

/// What one server answered.
pub struct Row<T> {
    pub name: &'static str,
    pub role: Role,
    pub value: T,
}

impl<T> Row<T> {
    pub fn new(candidate: &Candidate, value: T) -> Row<T> {
        Row { name: candidate.name, role: candidate.role, value }
    }

    /// Ours is not held against itself, and the raw loops have bars of their own.
    fn is_peer(&self) -> bool {
        self.role == Role::Peer
    }

    fn is_ours(&self) -> bool {
        [Role::OursUring, Role::OursEpoll, Role::OursPooled].contains(&self.role)
    }
}

fn of_role<T>(rows: &[Row<T>], role: Role) -> Option<&Row<T>> {
    rows.iter().find(|row| row.role == role)
}

/// By how much the epoll hub may be dearer than this peer.
fn epoll_limit(name: &str) -> Option<f64> {
    match name {
        TOKIO => Some(1.10),
        MAY => Some(1.0),
        _ => None,
    }
}

/// `<-- behind` where a peer is cheaper than we are, and where the epoll hub misses its bar.
fn mark<T>(row: &Row<T>, uring: Option<f64>, epoll: Option<f64>) -> String {
    if !row.is_peer() {
        return String::new();
    }
    let mut marks = Vec::new();
    if uring.is_some_and(|ratio| ratio > 1.0) {
        marks.push("<-- behind");
    }
    if epoll.zip(epoll_limit(row.name)).is_some_and(|(ratio, limit)| ratio > limit) {
        marks.push("<-- epoll behind");
    }
    marks.join(" ")
}

fn holds(name: &str, value: f64, limit: f64) -> String {
    let word = if value <= limit { "holds" } else { "MISSED" };
    format!("  bar: {name} {} <= {} {word}\n", figure(value), figure(limit))
}

/// What the uring hub is held against.
#[derive(Clone, Copy)]
pub struct Bars {
    /// How much dearer than the floor it may be.
    pub floor: f64,
    pub peers: Option<Peers>,
}

/// How it is to stand to each peer.
#[derive(Clone, Copy)]
pub enum Peers {
    /// The upper end of the interval is below 1.
    Below,
    /// The lower end is not above 1.
    NotAbove,
}

/// Processor time per request and what the clients saw.
pub fn of_loads(rows: &[Row<Vec<Report>>], bars: Option<Bars>) -> String {
    let costs = |row: &Row<Vec<Report>>| -> Vec<f64> {
        row.value.iter().map(Report::server_us_per_request).collect()
    };
    let base = |role| of_role(rows, role).map(costs);
    let (floor, uring, epoll) = (base(Role::Floor), base(Role::OursUring), base(Role::OursEpoll));
    let mut ratios = Vec::new();
    let mut lines = vec![heads(&[
        "server",
        "CPU us/request",
        "x floor",
        "uring hub / it",
        "epoll hub / it",
        "requests/s",
        "p50 us",
        "p99 us",
        "load busy",
        "",
    ])];
    for row in rows {
        let own = costs(row);
        let to = |base: &Option<Vec<f64>>, over: bool| {
            let base = base.as_ref()?;
            let (above, below) = if over { (&own, base) } else { (base, &own) };
            Median::of_ratios(above, below)
        };
        let median = |pick: fn(&Report) -> f64| {
            or_dash(Median::of(row.value.iter().map(pick)).map(|q| figure(q.median)))
        };
        let busy = |report: &Report| report.own_us / 1e6 / report.seconds;
        let busy = Median::of(row.value.iter().map(busy)).filter(|busy| busy.median > 0.0);
        let theirs = |ratio: Option<Median>| ratio.filter(|_| !row.is_ours());
        let (to_uring, to_epoll) = (theirs(to(&uring, false)), theirs(to(&epoll, false)));
        ratios.extend(to_uring.filter(|_| row.is_peer()).map(|ratio| (row.name, ratio)));
        let remark = mark(row, to_uring.map(|q| q.median), to_epoll.map(|q| q.median));
        lines.push(vec![
            row.name.to_owned(),
            or_dash(Median::of(own.iter().copied()).as_ref().map(spread)),
            or_dash(to(&floor, true).map(|q| figure(q.median))),
            or_dash(to_uring.as_ref().map(spread)),
            or_dash(to_epoll.as_ref().map(spread)),
            median(Report::rate),
            median(|report| report.p50_us),
            median(|report| report.p99_us),
            or_dash(busy.map(|busy| format!("{:.0} %", busy.median * 100.0))),
            remark,
        ]);
    }
    let mut text = columns(&lines);
    let over = uring.zip(floor).and_then(|(uring, floor)| Median::of_ratios(&uring, &floor));
    if let Some((ratio, bars)) = over.zip(bars) {
        text += &holds("uring hub / floor", ratio.median, bars.floor);
    }
    if let Some(peers) = bars.and_then(|bars| bars.peers) {
        text += &against_peers(&ratios, peers);
    }
    text
}

/// Whether the uring hub stands to all peers as it is to.
fn against_peers(ratios: &[(&str, Median)], peers: Peers) -> String {
    let (words, misses): (_, fn(&Median) -> bool) = match peers {
        Peers::Below => ("below every peer", |ratio| ratio.high >= 1.0),
        Peers::NotAbove => ("not above any peer", |ratio| ratio.low > 1.0),
    };
    let missed = ratios.iter().filter(|(_, ratio)| misses(ratio)).map(|(name, _)| *name);
    let missed: Vec<&str> = missed.collect();
    match missed.is_empty() {
        true => format!("  bar: uring hub {words} holds\n"),
        false => format!("  bar: uring hub {words} MISSED: {}\n", missed.join(", ")),
    }
}

/// Bytes per idle connection.
pub fn of_idle(rows: &[Row<Idle>]) -> String {
    const MIB: f64 = 1024.0 * 1024.0;
    let limit = |role| if role == Role::OursPooled { 5.0 * 1024.0 } else { 8.5 * 1024.0 };
    let each = |role| of_role(rows, role).map(|row| row.value.bytes_each());
    let uring = each(Role::OursUring);
    let heads_of =
        ["server", "MiB before", "MiB with", "bytes each", "uring hub / it", "idle ms/s", ""];
    let mut lines = vec![heads(&heads_of)];
    for row in rows {
        let idle = &row.value;
        let ratio = uring.map(|uring| uring / idle.bytes_each()).filter(|_| row.is_peer());
        lines.push(vec![
            row.name.to_owned(),
            figure(idle.before as f64 / MIB),
            figure(idle.with as f64 / MIB),
            format!("{:.0}", idle.bytes_each()),
            or_dash(ratio.map(figure)),
            figure(idle.busy * 1e3),
            mark(row, ratio, None),
        ]);
    }
    let mut text = columns(&lines);
    for row in rows.iter().filter(|row| row.is_ours()) {
        text += &holds(row.name, row.value.bytes_each(), limit(row.role));
    }
    if let Some(row) = rows.first() {
        text += &format!("  {} connections\n", row.value.connections);
    }
    text
}

/// System calls per request.
pub fn of_calls(rows: &[Row<f64>], counter: &str) -> String {
    let counted = format!("calls/request ({counter})");
    let mut lines = vec![heads(&["server", &counted, ""])];
    lines.extend(
        rows.iter()
            .map(|row| vec![row.name.to_owned(), format!("{:.3}", row.value), String::new()]),
    );
    let mut text = columns(&lines);
    for (role, limit) in [(Role::OursUring, 0.1), (Role::OursEpoll, 3.0)] {
        if let Some(row) = of_role(rows, role) {
            text += &holds(row.name, row.value, limit);
        }
    }
    text
}

fn heads(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &'static str, role: Role, cost: f64) -> Row<Vec<Report>> {
        let report = Report { requests: 1, seconds: 1.0, server_us: cost, ..Report::default() };
        Row { name, role, value: vec![report; 3] }
    }

    #[test]
    fn a_cheaper_peer_is_marked() {
        let rows = [
            row("floor", Role::Floor, 1.0),
            row(TOKIO, Role::Peer, 1.6),
            row(MAY, Role::Peer, 2.0),
            row("ours", Role::OursUring, 1.7),
            row("ours on epoll", Role::OursEpoll, 2.1),
        ];
        let bars = Bars { floor: 1.12, peers: Some(Peers::Below) };
        let text = of_loads(&rows, Some(bars));
        let marks = |name| {
            let line = text.lines().find(|line| line.trim_start().starts_with(name));
            line.and_then(|line| line.split_once("<--")).map(|(_, mark)| mark.to_owned())
        };
        assert_eq!(marks(TOKIO).as_deref(), Some(" behind <-- epoll behind"));
        assert_eq!(marks(MAY).as_deref(), Some(" epoll behind"));
        assert_eq!(marks("floor"), None);
        assert!(text.contains("bar: uring hub / floor 1.70 <= 1.12 MISSED"), "{text}");
        assert!(text.contains(&format!("below every peer MISSED: {TOKIO}\n")), "{text}");
        let bars = Bars { floor: 2.0, peers: Some(Peers::NotAbove) };
        let ours = row("ours", Role::OursUring, 1.7);
        let alike = [row("floor", Role::Floor, 1.0), row(MAY, Role::Peer, 1.7), ours];
        let text = of_loads(&alike, Some(bars));
        assert!(text.contains("not above any peer holds"), "{text}");
    }
}
