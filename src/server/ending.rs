//! What a handler may return, and how it ends the server.

use std::fmt;
use std::io;

/// Ends the server, if a handler returns it, as a value or as an error, or [raises](StopServe::raise)
/// it: nothing more is accepted. Other handlers go on; what becomes of them at the end of
/// [`serve_forever`](super::StreamServer::serve_forever) is said there.
///
/// ```
/// use greenlet::net::TcpStream;
/// use greenlet::server::{StopServe, StreamServer};
/// let server = StreamServer::bind("127.0.0.1:0", |_: TcpStream, _| StopServe)?;
/// TcpStream::connect(server.local_addr())?;
/// server.serve_forever()?; // returns after the first connection
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopServe;

impl StopServe {
    /// Raises it here, for code that cannot return it. Nothing is printed.
    ///
    /// # Panics
    /// Always: the payload is the `StopServe`.
    pub fn raise(self) -> ! {
        std::panic::resume_unwind(Box::new(self))
    }
}

impl fmt::Display for StopServe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server is to be stopped")
    }
}

impl std::error::Error for StopServe {}

/// What a handler may return: nothing, [`StopServe`], or a [`Result`] of nothing.
///
/// An [`io::Error`] that a handler returns is dropped, as it concerns one client only: a handler must report it
/// itself. Only this crate implements this trait.
pub trait Ending: sealed::Sealed + 'static {
    #[doc(hidden)]
    fn stops(self) -> bool;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! endings {
    ($($type:ty: $value:pat => $stops:expr,)*) => {
        $(
            impl sealed::Sealed for $type {}
            impl Ending for $type {
                fn stops(self) -> bool {
                    let $value = self;
                    $stops
                }
            }
        )*
    };
}

endings! {
    (): () => false,
    StopServe: StopServe => true,
    Result<(), StopServe>: result => result.is_err(),
    io::Result<()>: _ => false,
}
