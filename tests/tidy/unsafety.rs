//! Every unsafe block says why it is sound, every unsafe function what its caller owes.

use super::source::{Finding, Source};

/// `unsafe {` and `unsafe impl` stand under a `// SAFETY:` comment.
pub(crate) fn blocks(source: &Source) -> Vec<Finding> {
    if !source.is_rust() {
        return Vec::new();
    }
    let code: Vec<_> = source.code.lines().collect();
    let comments: Vec<_> = source.comments.lines().collect();
    let mut findings = Vec::new();
    for offset in source.words("unsafe") {
        let rest = source.code[offset + "unsafe".len()..].trim_start();
        if !rest.starts_with('{') && !rest.starts_with("impl") {
            continue;
        }
        let line = source.line_of(offset);
        if !explained(&code, &comments, line - 1) {
            let message = "an unsafe block or impl without a `// SAFETY:` comment above it";
            findings.push(source.at_line(line, message.to_owned()));
        }
    }
    findings
}

/// Whether a safety comment stands directly above the line, or above the statement it belongs to.
fn explained(code: &[&str], comments: &[&str], line: usize) -> bool {
    let mut i = line;
    loop {
        let mut above = i;
        while above > 0
            && code[above - 1].trim().is_empty()
            && !comments[above - 1].trim().is_empty()
        {
            above -= 1;
            if comments[above].contains("SAFETY:") {
                return true;
            }
        }
        // Not a comment, not the same statement: nothing above belongs to this block.
        let before = if i > 0 { code[i - 1].trim_end() } else { "" };
        if before.is_empty() || before.ends_with([';', '{', '}', ',']) {
            return false;
        }
        i -= 1;
    }
}

/// An `unsafe fn` or `unsafe trait` of `src` that others may call or fill in has a `# Safety` section.
pub(crate) fn functions(source: &Source) -> Vec<Finding> {
    if !source.path.starts_with("src/") {
        return Vec::new();
    }
    let code: Vec<_> = source.code.lines().collect();
    let comments: Vec<_> = source.comments.lines().collect();
    let mut findings = Vec::new();
    for offset in source.words("unsafe") {
        // From the text: in the code, the ABI's name is blank.
        let words: Vec<_> = source.text[offset..].split_whitespace().skip(1).take(4).collect();
        let named = |word: &&str| word.starts_with(|c: char| c.is_alphabetic() || c == '_');
        let kind = match words.as_slice() {
            ["fn", name, ..] if named(name) => "fn",
            ["extern", abi, "fn", name] if abi.starts_with('"') && named(name) => "fn",
            ["trait", ..] => "trait",
            _ => continue,
        };
        let before = source.code[..offset].rsplit('\n').next().unwrap_or_default();
        let public = before.trim_start().starts_with("pub");
        let line = source.line_of(offset);
        if public && !documented(&code, &comments, line - 1) {
            let message = format!("an unsafe {kind} without a `# Safety` section");
            findings.push(source.at_line(line, message));
        }
    }
    findings
}

/// Whether the comments and attributes above a line have the section.
fn documented(code: &[&str], comments: &[&str], line: usize) -> bool {
    let belongs = |i: &usize| {
        let code = code[*i].trim();
        (code.is_empty() && !comments[*i].trim().is_empty())
            || code.starts_with("#[")
            || code.ends_with(']')
    };
    (0..line).rev().take_while(belongs).any(|i| comments[i].contains("# Safety"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(check: fn(&Source) -> Vec<Finding>, text: &str) -> Vec<usize> {
        check(&Source::new("src/a.rs", text)).into_iter().map(|f| f.line).collect()
    }

    #[test]
    fn an_unexplained_block_is_reported() {
        let good = "\
// SAFETY: (One thread) so.
unsafe impl Send for X {}
fn f() {
    // SAFETY: because
    // of this.
    let x =
        unsafe { g() };
    // unsafe { in a comment }
    let s = \"unsafe { in a string }\";
}
unsafe extern \"C\" {}
unsafe fn f() {}
";
        assert_eq!(lines(blocks, good), []);
        let bad = "\
// Not the word.
unsafe impl Send for X {}
fn f() {
    // SAFETY: only the first
    unsafe { g() };
    unsafe { h() };
    // SAFETY: not next to it

    unsafe { i() };
}
";
        assert_eq!(lines(blocks, bad), [2, 6, 9]);
    }

    #[test]
    fn an_undocumented_unsafe_function_is_reported() {
        let good = "\
/// Does it.
///
/// # Safety
/// - be careful
#[inline]
pub unsafe fn f() {}
impl<T> Alloc for X<T> { unsafe fn alloc(&self) {} }
unsafe extern \"C\" fn only_here() {}
type F = unsafe fn(u8);
";
        assert_eq!(lines(functions, good), []);
        let bad = "\
/// Does it.
pub unsafe fn f() {}
/// # Safety
/// another's
fn g() {}
pub unsafe extern \"C\" fn h() {}
impl X {
    pub(crate) const unsafe fn i() {}
}
pub unsafe trait T {}
";
        assert_eq!(lines(functions, bad), [2, 6, 8, 10]);
    }
}
