//! One line from the load generator to whoever started it.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

/// What one window showed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Report {
    pub requests: u64,
    pub seconds: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    /// Processor time of the load generator.
    pub own_us: f64,
    /// Processor time of the server, when its process is known.
    pub server_us: f64,
}

impl Report {
    /// Requests per second.
    pub fn rate(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    /// Server microseconds per request.
    pub fn server_us_per_request(&self) -> f64 {
        self.server_us / self.requests as f64
    }

    /// The line that `Display` wrote.
    pub fn parse(line: &str) -> Option<Report> {
        let fields: HashMap<&str, f64> = line
            .split_whitespace()
            .filter_map(|field| field.split_once('='))
            .filter_map(|(name, value)| Some((name, value.parse().ok()?)))
            .collect();
        let field = |name| fields.get(name).copied();
        Some(Report {
            requests: field("requests")? as u64,
            seconds: field("seconds")?,
            p50_us: field("p50_us")?,
            p99_us: field("p99_us")?,
            own_us: field("own_cpu_us")?,
            server_us: field("server_cpu_us")?,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { requests, seconds, p50_us, p99_us, own_us, server_us } = self;
        write!(
            f,
            "requests={requests} seconds={seconds:.6} requests_per_second={:.0} ",
            self.rate()
        )?;
        write!(f, "p50_us={p50_us:.1} p99_us={p99_us:.1} ")?;
        write!(f, "own_cpu_us={own_us:.1} server_cpu_us={server_us:.1}")
    }
}

/// Microseconds with their fraction.
pub fn microseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_as_it_was_written() {
        let report = Report {
            requests: 10,
            seconds: 0.5,
            p50_us: 1.5,
            p99_us: 2.5,
            own_us: 3.0,
            server_us: 4.0,
        };
        assert_eq!(Report::parse(&report.to_string()), Some(report));
        assert_eq!(Report::parse("ready"), None);
    }
}
