//! The command `hub`: servers as child processes, loads beside them, one table per question.
//!
//! [`servers`] names who is asked, [`process`] starts and ends them, [`loads`] measures one cell,
//! [`counting`] system calls, [`questions`] what is asked in which order, [`table`] what is printed.

pub mod counting;
pub mod loads;
pub mod process;
pub mod questions;
pub mod servers;
pub mod table;
pub mod text;
