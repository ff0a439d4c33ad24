//! What the handles of both servers can do.

/// The methods of a handle, and its end.
macro_rules! methods {
    ($server:ident<$parameter:ident: $bound:ident>, $one:literal, $doing:literal) => {
        impl<$parameter: $bound> $server<$parameter> {
            #[doc = concat!("Begins ", $doing, "; returns at once. A server that was closed is bound")]
            /// again, to the same address. Does nothing if it is started already.
            ///
            /// # Errors
            /// Those of binding again, and of the builder's `pre_start`; `NotConnected` for a
            /// closed socket that was bound elsewhere; if there is no stack for a task.
            pub fn start(&self) -> io::Result<()> {
                self.core.start()
            }

            /// Starts the server if it is not started, and parks until it is stopped or closed, by another
            /// greenlet or by a handler that ends with [`StopServe`](super::StopServe). Then handlers may go on
            /// for the builder's `stop_timeout`, a second by default; those that are left are killed. If
            /// [`stop`](Self::stop) ended the server, its grace counts instead.
            ///
            /// # Errors
            /// Those of [`start`](Self::start), and that of the socket that has ended the server.
            ///
            /// # Cancellation
            /// The server is stopped, with the same grace, and then what arrived is raised here.
            pub fn serve_forever(&self) -> io::Result<()> {
                self.core.serve_forever()
            }

            #[doc = concat!("Ends ", $doing, ", and closes the socket. Handlers go on. Parks until nothing")]
            /// more can be taken. Does nothing if it is closed already.
            ///
            /// # Cancellation
            /// What arrives inside is raised here; it is closed nevertheless.
            pub fn close(&self) {
                self.core.close();
            }

            /// [Closes](Self::close) the server, and parks until all handlers have ended, for at most `grace`.
            /// Those that are left then are killed, and waited for one second more at most. Returns how many
            /// were killed.
            ///
            /// A handler may call it: it does not wait for itself. While the thread unwinds, this does not wait.
            ///
            /// # Cancellation
            /// What arrives inside is raised here; it is closed nevertheless, and handlers that run then
            /// go on.
            #[doc(alias = "shutdown")]
            pub fn stop(&self, grace: Duration) -> usize {
                self.core.stop(grace)
            }

            #[doc = concat!("Ends ", $doing, ", but keeps the socket; what comes waits in its queue. Parks")]
            /// until nothing more is taken.
            ///
            /// # Cancellation
            /// What arrives inside is raised here; nothing more is taken nevertheless.
            pub fn stop_accepting(&self) {
                self.core.pause();
            }

            /// Goes on after [`stop_accepting`](Self::stop_accepting); returns at once.
            ///
            /// # Errors
            /// `NotConnected` if it is not started; if there is no stack for a task.
            pub fn start_accepting(&self) -> io::Result<()> {
                self.core.accept()
            }

            /// Whether it was started, and not closed since.
            #[doc(alias = "started")]
            pub fn is_started(&self) -> bool {
                self.core.is_started()
            }

            #[doc = concat!("Whether the next ", $one, " will be taken if there is a place for it.")]
            pub fn is_accepting(&self) -> bool {
                self.core.is_accepting()
            }

            /// Whether its socket is closed.
            #[doc(alias = "closed")]
            pub fn is_closed(&self) -> bool {
                self.core.is_closed()
            }

            /// How many handlers run, or wait for a place in a pool that has become full.
            pub fn running(&self) -> usize {
                self.core.running()
            }
        }

        /// [Closes](Self::close) it; handlers go on.
        impl<$parameter: $bound> Drop for $server<$parameter> {
            fn drop(&mut self) {
                // Without a hub nothing waits at the socket, which is closed with whoever has it; but in the
                // child of a fork those who have it never end.
                let needs_one = self.core.is_of_parent() && !crate::hub::hub_is_of_parent();
                if needs_one || crate::hub::has_hub() {
                    self.core.close();
                }
            }
        }
    };
}
pub(super) use methods;
