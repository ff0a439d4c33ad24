//! Why there is no ring, for those who wanted to know.

use std::fs;
use std::io;

/// One line: the error, what is likely behind it, and what helps.
pub(in crate::driver) fn why_refused(error: &io::Error) -> String {
    let sysctl = fs::read_to_string("/proc/sys/kernel/io_uring_disabled");
    explain(error, sysctl.ok().as_deref().map(str::trim))
}

/// The same, with the value of `kernel.io_uring_disabled` (6.6) given.
fn explain(error: &io::Error, sysctl: Option<&str>) -> String {
    let (name, cause) = match error.raw_os_error() {
        Some(libc::EPERM) => match sysctl {
            Some(value @ ("1" | "2")) => {
                let cause = format!("the sysctl kernel.io_uring_disabled is {value}; 0 allows it");
                return format!("io_uring refused (EPERM): {cause}");
            }
            _ => (
                "EPERM",
                "a seccomp filter forbids it, as those of containers do; another profile allows it",
            ),
        },
        Some(libc::EACCES) => ("EACCES", "a security module forbids it"),
        Some(libc::ENOSYS) => (
            "ENOSYS",
            "this kernel was built without it or is older than 5.1, or a sandbox hides it",
        ),
        Some(libc::ENOMEM) => (
            "ENOMEM",
            "rings count as locked memory before 5.12, and again today (seen with 6.18), those of \
             programs that have just ended for a moment too: raise `ulimit -l` (RLIMIT_MEMLOCK)",
        ),
        Some(libc::EMFILE) => ("EMFILE", "no descriptor is free: raise `ulimit -n`"),
        Some(libc::ENFILE) => ("ENFILE", "the system has no descriptor free"),
        Some(libc::EINVAL) => ("EINVAL", "this kernel's io_uring is too old"),
        _ => return format!("io_uring refused: {error}"),
    };
    format!("io_uring refused ({name}): {cause}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(errno: i32, sysctl: Option<&str>) -> String {
        explain(&io::Error::from_raw_os_error(errno), sysctl)
    }

    #[test]
    fn cause_and_remedy_are_named() {
        let by_sysctl = explained(libc::EPERM, Some("2"));
        assert_eq!(
            by_sysctl,
            "io_uring refused (EPERM): the sysctl kernel.io_uring_disabled is 2; 0 allows it"
        );
        assert!(explained(libc::EPERM, Some("0")).contains("(EPERM): a seccomp filter"));
        assert!(explained(libc::EPERM, None).contains("seccomp"));
        assert!(explained(libc::ENOSYS, None).contains("built without it"));
        assert!(explained(libc::ENOMEM, None).contains("ulimit -l"));
        let own = io::Error::new(io::ErrorKind::Unsupported, "too old");
        assert_eq!(explain(&own, None), "io_uring refused: too old");
    }
}
