use crate::cases::{Subject, cases};
use crate::trace::Trace;
use greenlet::sync::{AlreadySet, AsyncResult};
use greenlet::{wait, yield_now};
use std::rc::Rc;
use std::time::Duration;

fn unset() -> Subject {
    let result = Rc::new(AsyncResult::<i32, String>::default());
    let (itself, opened, asked) = (Rc::downgrade(&result), result.clone(), result.clone());
    Subject {
        wait: Rc::new(move |limit| match limit {
            None => result.get().is_ok(),
            Some(limit) => result.get_timeout(limit).is_some(),
        }),
        open: Rc::new(move || _ = opened.set(7)),
        state: Rc::new(move || format!("{asked:?}")),
        hands_over: false,
        itself,
    }
}

fn uncontended() {
    let result = AsyncResult::new();
    assert!(result.try_get().is_none() && !result.is_set() && !result.is_success());
    result.set("value").unwrap();
    assert_eq!(result.get().unwrap(), &"value");
    assert_eq!(result.get_timeout(Duration::ZERO).unwrap().unwrap(), &"value");
    result.wait();
    assert!(result.is_set() && result.is_success() && result.wait_timeout(Duration::ZERO));
    assert_eq!(result.into_inner().unwrap().unwrap(), "value");
}

cases!(unset, uncontended);

#[test]
fn it_is_set_once() {
    let result = AsyncResult::<i32, &str>::default();
    result.set_err("no").unwrap();
    assert_eq!(result.set(1).unwrap_err(), AlreadySet(1));
    assert_eq!(result.set_err("again").unwrap_err(), AlreadySet("again"));
    assert_eq!(result.set_result(Ok(2)).unwrap_err(), AlreadySet(Ok(2)));
    assert_eq!(result.set(1).unwrap_err().to_string(), "the result was set before");
    assert_eq!((result.get(), result.is_success()), (Err(&"no"), false));
    assert_eq!(format!("{result:?}"), r#"AsyncResult { result: Some(Err("no")), .. }"#);
}

#[test]
fn all_readers_get_the_error() {
    let (trace, result) = (Trace::default(), Rc::new(AsyncResult::<i32, String>::default()));
    for name in ["a", "b"] {
        let result = result.clone();
        let _ = trace.task(name, move || result.get().unwrap_err().clone());
    }
    yield_now();
    result.set_err("too bad".to_owned()).unwrap();
    assert_eq!(wait(&[&*result]).first(), Some(0));
    yield_now();
    trace.is(&["a: too bad", "b: too bad"]);
}
