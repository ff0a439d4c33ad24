//! Child processes that are pinned, bounded in time, and gone when their owner is.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use greenlet_benches::machine;

/// Starting a server may take so long (an interpreter has much to read).
const START: Duration = Duration::from_secs(10);

/// A child that is killed with its handle, and by the kernel when this process dies in any way.
pub struct Running {
    child: Child,
    unread: Vec<u8>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// Starts a program on one CPU.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(command: &mut Command, cpu: usize) -> io::Result<Running> {
        let parent = std::process::id();
        let prepare = move || {
            machine::pin(cpu)?;
            // SAFETY: two calls without memory.
            let orphan = unsafe {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                libc::getppid() as u32 != parent
            };
            if orphan { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
        };
        // SAFETY: between fork and exec only system calls are made.
        unsafe { command.pre_exec(prepare) };
        let child = command.spawn()?;
        Ok(Running { child, unread: Vec::new() })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line of its (piped) output.
    ///
    /// # Errors
    /// When it ends, or when nothing comes for `limit`.
    pub fn line(&mut self, limit: Duration) -> Result<String, String> {
        let deadline = Instant::now() + limit;
        let out = self.child.stdout.as_mut().expect("its output is piped");
        loop {
            if let Some(end) = self.unread.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim().to_owned());
            }
            if !readable(out, deadline) {
                return Err(format!("no word for {limit:?}"));
            }
            if !take(out, &mut self.unread)? {
                return Err("it ended".into());
            }
        }
    }

    /// All the rest of its (piped) output, and how it ended.
    ///
    /// # Errors
    /// When it is not done after `limit`, or failed.
    pub fn finish(mut self, limit: Duration) -> Result<String, String> {
        let deadline = Instant::now() + limit;
        if let Some(out) = self.child.stdout.as_mut() {
            while readable(out, deadline) && take(out, &mut self.unread)? {}
        }
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) if status.success() => break,
                Ok(Some(status)) => return Err(status.to_string()),
                Err(error) => return Err(error.to_string()),
                Ok(None) if Instant::now() > deadline => {
                    return Err(format!("not done after {limit:?}"));
                }
                Ok(None) => thread::sleep(Duration::from_millis(1)),
            }
        }
        Ok(String::from_utf8_lossy(&self.unread).into_owned())
    }

    /// Sends an empty line to its (piped) input.
    ///
    /// # Errors
    /// When it is gone.
    pub fn go_on(&mut self) -> Result<(), String> {
        let input = self.child.stdin.as_mut().expect("its input is piped");
        writeln!(input).and_then(|()| input.flush()).map_err(|error| error.to_string())
    }

    /// Asks it to end by a signal.
    pub fn interrupt(&self) {
        // SAFETY: the child is not reaped yet, so the number is still its own.
        unsafe { libc::kill(self.pid() as libc::pid_t, libc::SIGINT) };
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

fn readable(file: &impl AsRawFd, deadline: Instant) -> bool {
    let left = deadline.saturating_duration_since(Instant::now()).as_millis();
    let mut poll = libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: the kernel reads and writes one entry.
    unsafe { libc::poll(&mut poll, 1, left.min(i32::MAX as u128) as i32) > 0 }
}

/// Whether there was more.
fn take(file: &mut impl Read, into: &mut Vec<u8>) -> Result<bool, String> {
    let mut some = [0; 4096];
    let count = file.read(&mut some).map_err(|error| error.to_string())?;
    into.extend_from_slice(&some[..count]);
    Ok(count > 0)
}

/// A server that takes connections.
pub struct Server {
    pub process: Running,
    pub address: SocketAddr,
}

impl Server {
    /// Starts what `command` makes for an address and waits until it takes a connection.
    ///
    /// # Errors
    /// When it does not, three times.
    pub fn start(cpu: usize, command: impl Fn(SocketAddr) -> Command) -> Result<Server, String> {
        let mut why = String::new();
        for _ in 0..3 {
            let address = free_address().map_err(|error| error.to_string())?;
            let mut command = command(address);
            command.stdin(Stdio::null()).stdout(Stdio::null());
            let mut process = Running::start(&mut command, cpu).map_err(|e| e.to_string())?;
            match wait_for(&mut process, address) {
                Ok(()) => return Ok(Server { process, address }),
                Err(error) => why = error,
            }
        }
        Err(why)
    }
}

/// Another process may take the port before the server does; `Server::start` then tries another one.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn wait_for(process: &mut Running, address: SocketAddr) -> Result<(), String> {
    let deadline = Instant::now() + START;
    while Instant::now() < deadline {
        if TcpStream::connect_timeout(&address, START).is_ok() {
            return Ok(());
        }
        if process.has_ended() {
            return Err("it ended at once".into());
        }
        thread::sleep(Duration::from_millis(3));
    }
    Err(format!("not listening after {START:?}"))
}

/// Whether a program answers to its name.
pub fn is_installed(program: &str, question: &[&str]) -> bool {
    let quiet = Command::new(program)
        .args(question)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    quiet.is_ok()
}

/// An empty file for the output of a child.
///
/// # Errors
/// When there is no room for it.
pub fn scratch(name: &str) -> io::Result<(std::path::PathBuf, File)> {
    let path = std::env::temp_dir().join(format!("hub-benches-{}-{name}", std::process::id()));
    Ok((path.clone(), File::create(path)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_read_line_by_line_and_ends_with_its_handle() {
        let cpu = machine::allowed_cpus()[0];
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two; sleep 60"]).stdout(Stdio::piped());
        let mut child = Running::start(&mut command, cpu).expect("a shell");
        assert_eq!(child.line(START), Ok("one".into()));
        assert_eq!(child.line(START), Ok("two".into()));
        assert!(child.line(Duration::from_millis(10)).is_err());
        let pid = child.pid();
        drop(child);
        // SAFETY: signal 0 only asks.
        assert_eq!(unsafe { libc::kill(pid as libc::pid_t, 0) }, -1);
    }
}
