//! What the assembler and the compiler made of it, as objdump shows it.

use greenlet::context::{Arrival, Context, Word, leave, switch};
use std::process::Command;

/// Every switch of this file: nothing but the inlined routine.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "C" fn asm_test_one_switch(from: *const Context, to: *const Context) -> usize {
    // SAFETY: nobody calls this; it is there to be looked at.
    let Arrival { tag, .. } = unsafe { switch(from, to, Word::uninit(), 1) };
    tag
}

/// What is left of a switch by one that does not come back.
#[unsafe(no_mangle)]
#[inline(never)]
unsafe extern "C" fn asm_test_one_leave(from: *const Context, to: *const Context) -> ! {
    // SAFETY: nobody calls this; it is there to be looked at.
    unsafe { leave(from, to, Word::uninit(), 1) }
}

/// A frame of 64 KiB.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn asm_test_large_frame(seed: u8) -> u8 {
    let mut frame = [seed; 64 * 1024];
    std::hint::black_box(&mut frame);
    frame[usize::from(seed)]
}

/// Runs objdump on this executable; `None`, said aloud, where there is none for this architecture.
fn objdump(arguments: &[&str]) -> Option<String> {
    let this = std::env::current_exe().unwrap();
    for name in [format!("{}-linux-gnu-objdump", std::env::consts::ARCH), "objdump".to_owned()] {
        let output = Command::new(name).args(arguments).arg(&this).output();
        if let Ok(output) = output
            && output.status.success()
        {
            return Some(String::from_utf8(output.stdout).unwrap());
        }
    }
    eprintln!("skipped: no objdump for {}", std::env::consts::ARCH);
    None
}

/// The instructions of a function, in order.
fn instructions(symbol: &str) -> Option<Vec<String>> {
    let option = format!("--disassemble={symbol}");
    let mut arguments = vec!["--no-show-raw-insn", &option];
    if cfg!(target_arch = "x86_64") {
        arguments.extend(["-M", "intel"]);
    }
    let text = objdump(&arguments)?;
    let lines = text.lines().filter_map(|line| line.split_once(":\t"));
    let found: Vec<_> =
        lines.map(|(_, code)| code.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert!(!found.is_empty(), "no {symbol} in\n{text}");
    Some(found)
}

fn is_landing(instruction: &str, at_call: bool) -> bool {
    match std::env::consts::ARCH {
        "x86_64" => instruction == "endbr64",
        _ => instruction == if at_call { "bti c" } else { "bti j" },
    }
}

#[test]
fn what_is_reached_by_a_jump_or_a_call_is_a_landing_pad() {
    // On x86_64 the entry is not reached at all.
    let entry = if cfg!(target_arch = "x86_64") { None } else { Some("greenlet_entered") };
    for symbol in entry.into_iter().chain(["greenlet_walk"]) {
        let Some(code) = instructions(symbol) else { return };
        assert!(is_landing(&code[0], true), "{symbol}: {code:#?}");
    }
}

#[test]
fn symbols_stay_inside() {
    let Some(table) = objdump(&["--syms"]) else { return };
    for symbol in ["greenlet_entry", "greenlet_entered", "greenlet_walk"] {
        let line = table.lines().find(|line| line.ends_with(symbol)).unwrap();
        assert!(line.contains(".hidden") && line.contains(" F "), "{line}");
    }
    let dynamic = objdump(&["--dynamic-syms"]).unwrap();
    assert!(!dynamic.contains("greenlet_"), "{dynamic}");
}

/// The jump by which one leaves.
fn leaves(line: &&String) -> bool {
    match std::env::consts::ARCH {
        "x86_64" => *line == "jmp rax",
        _ => *line == "br x16",
    }
}

/// The instructions of the routine, found by its first one and the jump by which it leaves.
fn routine() -> Option<(Vec<String>, String)> {
    let _linked = std::hint::black_box(asm_test_one_switch as unsafe extern "C" fn(_, _) -> _);
    let code = instructions("asm_test_one_switch")?;
    assert_eq!(code.iter().filter(leaves).count(), 1, "one switch: {code:#?}");
    let end = code.iter().position(|line| leaves(&line)).unwrap();
    let begins = |line: &String| match std::env::consts::ARCH {
        "x86_64" => line.starts_with("lea rax,[rip"),
        _ => line.starts_with("adr x16,"),
    };
    let begin = code[..end].iter().rposition(begins).unwrap();
    Some((code[begin..=end].to_vec(), code[end + 1].clone()))
}

#[test]
fn a_switch_neither_calls_nor_returns() {
    let Some((code, _)) = routine() else { return };
    let first_words = code.iter().map(|line| line.split_whitespace().next().unwrap());
    for word in first_words {
        assert!(!["call", "ret", "bl", "blr"].contains(&word), "{code:#?}");
    }
    assert!(code.len() <= 10, "ten instructions at most: {code:#?}");
}

/// Nothing is saved, neither by the routine nor by the compiler for a caller to whom nobody returns.
#[test]
fn who_leaves_for_ever_stores_nothing_but_a_place_to_stop() {
    let _linked = std::hint::black_box(asm_test_one_leave as unsafe extern "C" fn(_, _) -> _);
    let Some(code) = instructions("asm_test_one_leave") else { return };
    let end = code.iter().position(|line| leaves(&line)).unwrap();
    let stores = code[..end].iter().filter(|line| match std::env::consts::ARCH {
        "x86_64" => {
            line.starts_with("push")
                || line.starts_with("mov QWORD PTR [") && !line.contains(",QWORD")
        }
        _ => line.starts_with("st"),
    });
    // One that aligns the stack, if any. Without optimisation the compiler stores whatever it handles.
    assert!(cfg!(debug_assertions) || stores.count() <= 1, "{code:#?}");
}

/// A call that never returns would leave its return in the predictor, in front of everybody else's.
#[test]
fn an_entry_does_not_call_the_body() {
    let Some(code) = instructions("greenlet_entered") else { return };
    for line in &code {
        let word = line.split_whitespace().next().unwrap();
        assert!(!["call", "ret", "bl", "blr"].contains(&word), "{code:#?}");
    }
}

#[test]
fn a_switch_lands_on_a_landing_pad() {
    let Some((code, after)) = routine() else { return };
    assert!(is_landing(&after, false), "{after} after {code:#?}");
}

/// A frame that is larger than a guard touches every page on its way down.
#[test]
fn large_frames_are_probed() {
    assert_eq!(asm_test_large_frame(9), 9);
    let Some(code) = instructions("asm_test_large_frame") else { return };
    let steps = |line: &&String| match std::env::consts::ARCH {
        "x86_64" => line.contains("rsp,0x1000"),
        _ => line.contains("sp, sp, #0x1, lsl #12"),
    };
    let touches = |line: &&String| match std::env::consts::ARCH {
        "x86_64" => line.starts_with("mov QWORD PTR [rsp],0x0"),
        _ => line.starts_with("str xzr, [sp]"),
    };
    let by_steps = code.iter().any(|line| steps(&line)) && code.iter().any(|line| touches(&line));
    // Without optimisation the compiler may call its probe function instead.
    assert!(by_steps || code.iter().any(|line| line.contains("probestack")), "{code:#?}");
}
