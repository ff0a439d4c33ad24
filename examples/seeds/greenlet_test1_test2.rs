//! The notes on eventlet: two greenlets with the same parent, and who is left when one has ended.

use greenlet::{Greenlet, StackError};

fn main() -> Result<(), StackError> {
    let current = greenlet::current();
    let gr1 = Greenlet::builder().parent(&current).create_unbound()?;
    let gr2 = Greenlet::builder().parent(&current).create_unbound()?;

    let test1 = {
        let gr2 = gr2.clone();
        move |n: i32| {
            println!("test1: {n}");
            gr2.switch_any(32);
            println!("test1: over");
        }
    };

    let test2 = {
        let gr1 = gr1.clone();
        move |n: i32| {
            println!("test2: {n}");
            gr1.switch_any(23);
            println!("test2: over");
        }
    };

    gr1.bind(test1);
    gr2.bind(test2);
    gr1.switch_any(2);
    Ok(())
}
