//! The introduction to gevent: three names are looked up at once, within two seconds.

use greenlet::{join_all, spawn};
use std::time::Duration;

fn main() {
    let urls = ["www.google.com", "www.python.org", "www.foofish.net"];
    let jobs = urls.map(|url| spawn(move || socket::gethostbyname(url)));
    join_all(&jobs).timeout(Duration::from_secs(2)).wait();

    let values = jobs.iter().map(|job| match job.value() {
        Some(&Some(value)) => format!("'{value}'"),
        _ => "None".to_owned(),
    });
    println!("[{}]", values.collect::<Vec<_>>().join(", "));
}

/// The answers of the page, in place of the network: `greenlet::offload` with `to_socket_addrs` would ask that.
mod socket {
    use greenlet::sleep;
    use std::time::Duration;

    const HOSTS: [(&str, &str); 3] = [
        ("www.google.com", "74.125.128.147"),
        ("www.python.org", "82.94.164.162"),
        ("www.foofish.net", "106.186.27.60"),
    ];

    pub(super) fn gethostbyname(wanted: &str) -> Option<&'static str> {
        sleep(Duration::from_millis(20));
        HOSTS.iter().find(|(name, _)| *name == wanted).map(|&(_, address)| address)
    }
}
