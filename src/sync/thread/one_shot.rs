//! One value from one thread to another.

use super::channel::{Receiver, Sender, bounded};
use std::sync::mpsc::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};
use std::time::Duration;

/// A channel for one item between threads.
///
/// ```
/// use greenlet::sync::thread::one_shot;
/// let (answer, question) = one_shot();
/// std::thread::spawn(move || answer.send(6 * 7));
/// assert_eq!(question.recv(), Ok(42)); // other greenlets run meanwhile
/// ```
#[doc(alias = "oneshot")]
pub fn one_shot<T: Send>() -> (OneSender<T>, OneReceiver<T>) {
    let (sender, receiver) = bounded(1);
    (OneSender(sender), OneReceiver(receiver))
}

/// The sending end of a [`one_shot`].
#[derive(Debug)]
pub struct OneSender<T: Send>(Sender<T>);

impl<T: Send> OneSender<T> {
    /// Sends the item; returns at once.
    ///
    /// # Errors
    /// Gives the item back if the receiver was dropped.
    pub fn send(self, item: T) -> Result<(), SendError<T>> {
        self.0.try_send(item).map_err(|error| match error {
            // There is room for the one item there is: never `Full`.
            TrySendError::Full(item) | TrySendError::Disconnected(item) => SendError(item),
        })
    }
}

/// The receiving end of a [`one_shot`].
#[derive(Debug)]
pub struct OneReceiver<T: Send>(Receiver<T>);

impl<T: Send> OneReceiver<T> {
    /// Waits for the item: a greenlet parks, a thread without a hub sleeps.
    ///
    /// # Errors
    /// The sender was dropped.
    ///
    /// # Cancellation
    /// A kill, throw or time limit is raised here, and this end is dropped: an item that is sent later is
    /// refused, and one that had come before the call is lost. An item that arrives while this waits is returned
    /// in any case; what came in the same moment is raised at the next wait.
    ///
    /// To try again after an interrupt, use [`recv_timeout`](OneReceiver::recv_timeout), which keeps this end.
    pub fn recv(self) -> Result<T, RecvError> {
        self.0.recv()
    }

    /// As [`recv`](OneReceiver::recv), for at most `limit`. The item comes once.
    ///
    /// # Errors
    /// It did not come in time, or the sender was dropped.
    ///
    /// # Cancellation
    /// What arrives inside is raised here, and nothing else happens.
    pub fn recv_timeout(&self, limit: Duration) -> Result<T, RecvTimeoutError> {
        self.0.recv_timeout(limit)
    }

    /// Takes the item if it has come; never waits.
    ///
    /// # Errors
    /// It has not come, or the sender was dropped.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.0.try_recv()
    }
}
