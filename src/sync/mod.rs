//! How greenlets wait for one another. Level 4.
//!
//! Uses `hub`; used by `task`. Today: the list that everything above waits in.

mod wait_list;

pub(crate) use wait_list::{WaitList, WaitNode};
