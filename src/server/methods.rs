//! What the handles of both servers can do.

/// The methods of a handle, and its end.
macro_rules! methods {
    ($server:ident<$parameter:ident: $bound:ident>, $one:literal, $doing:literal) => {
        impl<$parameter: $bound> $server<$parameter> {
            #[doc = concat!("Begins ", $doing, "; returns at once. A server that was closed is bound")]
            /// again, to the same address. Started already, does nothing.
            ///
            /// # Errors
            /// Those of binding again, and of the builder's `pre_start`; `NotConnected` for a
            /// closed socket that was bound elsewhere; what a task is refused for.
            pub fn start(&self) -> io::Result<()> {
                self.core.start()
            }

            /// Starts the server if it is not, and parks until it has been stopped or closed, by another
            /// greenlet or by a handler that ends with [`StopServe`](super::StopServe). Then handlers have
            /// the server's grace, a second unless it was chosen, and those that are left are killed;
            /// if somebody [stops](Self::stop) it, his grace counts instead.
            ///
            /// # Errors
            /// Those of [`start`](Self::start), and that of the socket that has ended the server.
            ///
            /// # Cancellation
            /// The server is stopped, with the same grace, and then what arrived is raised here.
            pub fn serve_forever(&self) -> io::Result<()> {
                self.core.serve_forever()
            }

            #[doc = concat!("Ends ", $doing, ", and closes the socket. Handlers go on; so does what waits for")]
            /// them. Parks until no more can be taken. Closed already, does nothing.
            ///
            /// # Cancellation
            /// What arrives inside is raised here; it is closed all the same.
            pub fn close(&self) {
                self.core.close();
            }

            /// [Closes](Self::close), and parks until all handlers have ended, or for at most `grace`;
            /// those that are left then are killed, and waited for for another second at most. Returns how
            /// many were killed.
            ///
            /// A handler may call it: it is not among them. While the thread unwinds, nobody is waited for.
            ///
            /// # Cancellation
            /// What arrives inside is raised here; it is closed all the same, and handlers that run then
            /// go on.
            #[doc(alias = "shutdown")]
            pub fn stop(&self, grace: Duration) -> usize {
                self.core.stop(grace)
            }

            #[doc = concat!("Ends ", $doing, " and keeps the socket, in whose queue waits what comes. Parks")]
            /// until no more is taken.
            ///
            /// # Cancellation
            /// What arrives inside is raised here; nothing more is taken all the same.
            pub fn stop_accepting(&self) {
                self.core.pause();
            }

            /// Goes on after [`stop_accepting`](Self::stop_accepting); returns at once.
            ///
            /// # Errors
            /// `NotConnected` when it is not started; what a task is refused for.
            pub fn start_accepting(&self) -> io::Result<()> {
                self.core.accept()
            }

            /// Is it started, and was not closed since?
            #[doc(alias = "started")]
            pub fn is_started(&self) -> bool {
                self.core.is_started()
            }

            #[doc = concat!("Is the next ", $one, " taken when there is one and a place for it?")]
            pub fn is_accepting(&self) -> bool {
                self.core.is_accepting()
            }

            /// Is its socket closed?
            #[doc(alias = "closed")]
            pub fn is_closed(&self) -> bool {
                self.core.is_closed()
            }

            /// How many handlers run.
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
                if needs_one || crate::hub::hub_if_any().is_some() {
                    self.core.close();
                }
            }
        }
    };
}
pub(super) use methods;
