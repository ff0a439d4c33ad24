//! The files of the repository, each split into code and comments.

use std::path::Path;
use std::{env, fs};

/// One text file. `code` and `comments` are as long as `text`, line by line and byte by byte: what
/// belongs to the other one (and, in `code`, the inside of strings) is blank.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) code: String,
    pub(crate) comments: String,
}

/// What a check found, where.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) message: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Source {
        let (code, comments) = match path.rsplit('.').next() {
            Some("rs" | "s" | "c" | "h") => split(text),
            _ => (text.to_owned(), String::new()),
        };
        Source { path: path.to_owned(), text: text.to_owned(), code, comments }
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub(crate) fn at_line(&self, line: usize, message: String) -> Finding {
        Finding { path: self.path.clone(), line, message }
    }

    pub(crate) fn at(&self, offset: usize, message: String) -> Finding {
        self.at_line(self.line_of(offset), message)
    }

    /// The number, from 1, of the line that holds this byte.
    pub(crate) fn line_of(&self, offset: usize) -> usize {
        self.text.as_bytes()[..offset].iter().filter(|&&byte| byte == b'\n').count() + 1
    }

    /// Offsets where `word` stands in the code, not as a part of a longer name.
    pub(crate) fn words(&self, word: &str) -> Vec<usize> {
        let bytes = self.code.as_bytes();
        let found = self.code.match_indices(word).map(|(offset, _)| offset);
        found
            .filter(|&offset| {
                (offset == 0 || !is_name(Some(bytes[offset - 1])))
                    && !is_name(bytes.get(offset + word.len()).copied())
            })
            .collect()
    }

    /// What stands before the brace of every block around this byte, outermost first.
    pub(crate) fn headers(&self, offset: usize) -> Vec<&str> {
        let (mut open, mut start) = (Vec::new(), 0);
        for (i, byte) in self.code.bytes().enumerate().take(offset) {
            match byte {
                b'{' => open.push(self.code[start..i].trim()),
                b'}' => drop(open.pop()),
                b';' => {}
                _ => continue,
            }
            start = i + 1;
        }
        open
    }
}

/// Every text file of the repository; what is not tracked by habit (`target`, dot folders) is left out.
pub(crate) fn repository() -> Vec<Source> {
    let mut sources = Vec::new();
    let root = env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| ".".to_owned());
    walk(root.as_ref(), root.as_ref(), &mut sources);
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn walk(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository can be read") {
        let path = entry.expect("an entry of a folder can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name == "target" || (name.starts_with('.') && name != ".ci") || path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            walk(root, &path, sources);
        } else if let Ok(text) = fs::read_to_string(&path) {
            let short = path.strip_prefix(root).expect("the walk began at the root");
            sources.push(Source::new(&short.to_string_lossy(), &text));
        }
    }
}

/// Code and comments of a Rust, C or assembly text.
fn split(text: &str) -> (String, String) {
    let bytes = text.as_bytes();
    let blank = || bytes.iter().map(|&b| if b == b'\n' { b } else { b' ' }).collect::<Vec<u8>>();
    let (mut code, mut comments) = (blank(), blank());
    let mut i = 0;
    while i < bytes.len() {
        let rest = &bytes[i..];
        if let length @ 1.. = comment(rest) {
            comments[i..i + length].copy_from_slice(&rest[..length]);
            i += length;
        } else if let length @ 1.. = literal(bytes, i) {
            // The quotes stay, so that one sees a string there.
            code[i] = b'"';
            code[i + length - 1] = b'"';
            i += length;
        } else {
            code[i] = bytes[i];
            i += 1;
        }
    }
    let string = |bytes| String::from_utf8(bytes).expect("whole characters were copied");
    (string(code), string(comments))
}

/// Length of the comment that begins here, or 0.
fn comment(rest: &[u8]) -> usize {
    if rest.starts_with(b"//") {
        return rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
    }
    let (mut depth, mut i) = (0, 0);
    loop {
        match rest.get(i..i + 2) {
            Some(b"/*") => (depth, i) = (depth + 1, i + 2),
            Some(b"*/") if depth > 0 => (depth, i) = (depth - 1, i + 2),
            Some(_) if depth > 0 => i += 1,
            None if depth > 0 => return rest.len(),
            _ => return i,
        }
        if depth == 0 {
            return i;
        }
    }
}

/// Length of the string or character that begins at `bytes[i]`, or 0.
fn literal(bytes: &[u8], i: usize) -> usize {
    let rest = &bytes[i..];
    let closing = |from: usize, end: &[u8]| {
        let found = rest.get(from..).and_then(|r| r.windows(end.len()).position(|w| w == end));
        found.map_or(rest.len(), |at| from + at + end.len())
    };
    match rest[0] {
        b'"' => {
            let mut end = 1;
            while end < rest.len() && rest[end] != b'"' {
                end += if rest[end] == b'\\' { 2 } else { 1 };
            }
            rest.len().min(end + 1)
        }
        b'\'' if rest.get(1) == Some(&b'\\') => closing(3, b"'"),
        b'\'' => {
            let next = str::from_utf8(&rest[1..rest.len().min(5)]);
            let valid = next.map_or_else(|e| e.valid_up_to(), str::len);
            let width = str::from_utf8(&rest[1..=valid]).ok().and_then(|s| s.chars().next());
            let width = width.map_or(0, char::len_utf8);
            // Without a second quote it is a lifetime.
            if width > 0 && rest.get(1 + width) == Some(&b'\'') { width + 2 } else { 0 }
        }
        b'r' => {
            let before = |n: usize| i.checked_sub(n).map(|at| bytes[at]);
            let prefixed = matches!(before(1), Some(b'b' | b'c')) && !is_name(before(2));
            let hashes = rest[1..].iter().take_while(|&&b| b == b'#').count();
            if rest.get(1 + hashes) != Some(&b'"') || (is_name(before(1)) && !prefixed) {
                return 0;
            }
            let end = [b"\"".as_slice(), &rest[1..=hashes]].concat();
            closing(2 + hashes, &end)
        }
        _ => 0,
    }
}

fn is_name(byte: Option<u8>) -> bool {
    byte.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[test]
fn code_comments_and_strings_are_told_apart() {
    let text = r##"let a = "// no /*"; // yes "s"
/* one /* two */ still */ let b = '"'; let c = r#"x " // "#; let d: &'static str = b"\"";
let e = '\''; let f = 'é'; br"//"; for_'a; /// doc
"##;
    let source = Source::new("src/a.rs", text);
    let squeeze = |s: &str| s.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(squeeze(&source.comments), r#"// yes "s" /* one /* two */ still */ /// doc"#);
    let code = squeeze(&source.code);
    let expected = r#"let a = " "; let b = " "; let c = " "; let d: &'static str = b" ";
        let e = " "; let f = " "; b" "; for_'a;"#;
    assert_eq!(code, squeeze(expected));
    assert_eq!((source.code.len(), source.comments.len()), (text.len(), text.len()));
}

#[test]
fn headers_name_the_blocks_around() {
    let source =
        Source::new("src/a.rs", "mod a { impl X for Y { fn f() {} fn g(x: u8) { here } } }");
    let here = source.words("here")[0];
    assert_eq!(source.headers(here), ["mod a", "impl X for Y", "fn g(x: u8)"]);
    assert!(source.words("her").is_empty());
}
