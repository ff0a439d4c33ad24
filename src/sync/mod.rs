//! How greenlets wait for one another. Level 4.
//!
//! Uses `hub`; used by `task`. Today: the list that everything above waits in.

pub(crate) use crate::hub::{WaitList, WaitNode};
