//! [`Read`](std::io::Read) and [`Write`](std::io::Write) of what carries a stream of bytes, by its
//! name and by reference.

/// For a type that holds a [`Socket`](super::socket::Socket) in `socket`.
macro_rules! stream {
    ($type:ident) => {
        impl Read for &$type {
            #[inline]
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.socket.recv(buffer, 0)
            }

            fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.socket.recv_vectored(buffers)
            }
        }

        impl Write for &$type {
            #[inline]
            fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
                self.socket.send(buffer)
            }

            fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
                self.socket.send_vectored(buffers)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        impl Read for $type {
            #[inline]
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                (&*self).read(buffer)
            }

            fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                (&*self).read_vectored(buffers)
            }
        }

        impl Write for $type {
            #[inline]
            fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
                (&*self).write(buffer)
            }

            fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
                (&*self).write_vectored(buffers)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
    };
}

pub(super) use stream;
