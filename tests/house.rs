//! The house rules that a compiler does not hold: who may import whom, words, sizes, and the comments that argue for
//! `unsafe` and for memory orders.
//!
//! Reads the sources as text. A small lexer blanks comments, strings and test code (same lines, same columns), so a
//! rule sees only what ships; rules about comments look at the raw lines beside it. Every finding names file and line,
//! what was found and what to write instead. Each rule is also fed a bad example here: a rule that cannot fail is none.
#![allow(
    clippy::unwrap_used,
    reason = "a tree that cannot be read fails the test, which is the point"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What every module from `tape` down may name besides its row.
const NOUNS: &str = "num time market event health";

/// Module, what it may name. A row names only rows above it, so circles cannot be written down; `*` is all above.
/// `shm::record` and `wire::scan` are that one part of `shm` and `wire`.
const IMPORTS: &[(&str, &str)] = &[
    ("num", ""),
    ("time", "num"),
    ("market", "num"),
    ("event", "num time market"),
    ("health", "time"),
    ("sync", ""),
    ("arena", "num"),
    ("ring", "sync"),
    ("shm", "sync num time health"),
    ("idle", ""),
    ("log", "time shm::record"),
    ("measure", "num time market event health sync ring shm"),
    ("wire", "num sync time health"),
    ("venue", "num time market event health wire"),
    ("book", "num time market event arena health"),
    ("inventory", "num time market event arena health"),
    ("heatmap", "num time market event arena health inventory"),
    // What touches every cell is compiled once per instruction set.
    (
        "zone",
        "num time market arena book heatmap shm::record wire::scan",
    ),
    ("calibrate", "num time market event arena inventory heatmap"),
    (
        "signal",
        "num time market event health book inventory heatmap zone shm::record",
    ),
    ("bias", "num time market health signal shm::record"),
    ("trust", "num time market arena signal bias"),
    (
        "shard",
        "num time market event health arena book inventory heatmap zone calibrate signal bias trust shm::record",
    ),
    (
        "config",
        "num time market event health idle log venue signal",
    ),
    ("tape", "config"),
    ("import", "config tape venue"),
    ("feed", "config sync idle ring wire venue"),
    ("series", "config wire venue ring tape feed"),
    (
        "replay",
        "config tape feed series venue inventory calibrate zone shard shm::record",
    ),
    ("sim", "config arena wire tape"),
    (
        "control",
        "config log series sync shm wire venue ring tape feed",
    ),
    ("checkpoint", "config tape replay shard shm::record"),
    ("cut", "config tape replay shm::record"),
    ("learn", "config tape replay shard shm"),
    (
        "prove",
        "config tape replay venue inventory heatmap zone calibrate signal shard shm",
    ),
    ("historian", "config tape replay shard shm"),
    // Pictures are drawn of histories.
    ("viewer", "config log shm historian"),
    ("run", "*"),
    ("cli", "*"),
];

/// A word in a file, type or function name, and the better one.
const WORDS: &[(&str, &str)] = &[
    (
        "manager",
        "what it holds or decides: a Pool, a Table, a Plan",
    ),
    ("handler", "the verb it does: decode, apply, step"),
    ("util", "the module whose noun it serves"),
    ("utils", "the module whose noun it serves"),
    ("helper", "what it does, beside its only caller"),
    ("helpers", "what they do, beside their callers"),
    ("common", "the noun that is shared"),
];

/// A token in code, the modules where it may stand, and what to write instead.
const TOKENS: &[(&str, &[&str], &str)] = &[
    (
        "unsafe",
        &["sync", "arena", "ring", "shm", "wire"],
        "safe code, or move the operation behind sync, arena, ring, shm or wire",
    ),
    (
        ".unwrap()",
        &[],
        "`let … else`, `?`, or an answer for the missing case",
    ),
    (
        "println!",
        &["cli", "viewer", "main"],
        "a counter, a record, or text in cli",
    ),
    ("f32", FLOATS, "integer steps: num::fixed"),
    ("f64", FLOATS, "integer steps: num::fixed"),
];

const FLOATS: &[&str] = &[
    // JSON numbers of the tolerant reader arrive as doubles.
    "wire",
    "sim",
    "learn",
    "prove",
    "historian",
    "viewer",
    "config",
    "cli",
    "measure",
    "replay",
];

/// Code lines a file may have; lines without a letter (tables of numbers, lone braces) and comments do not count.
const CODE_LINES: usize = 700;
const COLUMNS: usize = 120;

/// Modules whose memory orders must be argued.
const ORDERED: &[&str] = &["sync", "ring", "shm"];
const ORDERS: &[&str] = &["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"];

/// Places that exist on one machine only, in pieces so that this file is not a finding.
const PLACES: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/Us", "ers/"),
    concat!("/t", "mp/"),
];

// ---- reading ----

/// One source file: raw lines, and the same lines with comments, strings and test code blanked.
struct Source {
    path: String,
    /// First name under `src`.
    module: String,
    /// Modules between the crate's root and the file's code.
    depth: usize,
    raw: Vec<String>,
    code: Vec<String>,
    /// Lines that belong to an attribute.
    attribute: Vec<bool>,
}

impl Source {
    /// `path` is relative to `src`.
    fn new(path: &str, text: &str) -> Self {
        let parts: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
        let test = parts.contains(&"tests");
        let code = if test {
            blank_all(text)
        } else {
            without_tests(&without_text(text))
        };
        Self {
            path: format!("src/{path}"),
            module: parts[0].to_string(),
            depth: match parts.as_slice() {
                ["lib" | "main"] => 0,
                [whole @ .., "mod"] => whole.len(),
                whole => whole.len(),
            },
            raw: text.lines().map(str::to_string).collect(),
            code: code.lines().map(str::to_string).collect(),
            attribute: attribute_lines(&without_text(text)),
        }
    }

    fn at(&self, line: usize, found: &str, instead: &str) -> String {
        format!(
            "{}:{}: found {found}; write instead: {instead}",
            self.path,
            line + 1
        )
    }
}

fn blank_all(text: &str) -> String {
    text.chars()
        .map(|c| if c == '\n' { c } else { ' ' })
        .collect()
}

/// Blanks comments, strings and characters.
fn without_text(text: &str) -> String {
    change_text(text, |_, c| if c == '\n' { Some(c) } else { Some(' ') })
}

/// Leaves raw strings out: they are frames and patterns, byte for byte.
fn without_frames(text: &str) -> String {
    change_text(text, |first, c| (first != 'r' || c == '\n').then_some(c))
}

/// Rewrites what is not code, told the character with which that begins.
fn change_text(text: &str, change: impl Fn(char, char) -> Option<char>) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        if let Some(end) = text_end(&chars, at) {
            out.extend(chars[at..end].iter().filter_map(|&c| change(chars[at], c)));
            at = end;
        } else {
            out.push(chars[at]);
            at += 1;
        }
    }
    out
}

/// Where the comment, string or character that begins at `at` ends; `None` when it is code.
fn text_end(chars: &[char], at: usize) -> Option<usize> {
    let next = |ahead: usize| chars.get(at + ahead).copied().unwrap_or('\0');
    let word_before = at > 0 && is_word(chars[at - 1]);
    match chars[at] {
        '/' if next(1) == '/' => {
            let line = chars[at..].iter().position(|&c| c == '\n');
            Some(line.map_or(chars.len(), |line| at + line))
        }
        '/' if next(1) == '*' => {
            let (mut depth, mut end) = (1, at + 2);
            while depth > 0 && end < chars.len() {
                match (chars[end], chars.get(end + 1)) {
                    ('/', Some('*')) => (depth, end) = (depth + 1, end + 2),
                    ('*', Some('/')) => (depth, end) = (depth - 1, end + 2),
                    _ => end += 1,
                }
            }
            Some(end.min(chars.len()))
        }
        'r' if !word_before || chars[at - 1] == 'b' || chars[at - 1] == 'c' => {
            let hashes = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
            if next(1 + hashes) != '"' {
                return None;
            }
            let mut end = at + 2 + hashes;
            while end < chars.len() {
                let tail = chars[end + 1..].iter().take(hashes);
                if chars[end] == '"' && tail.filter(|&&c| c == '#').count() == hashes {
                    return Some(end + 1 + hashes);
                }
                end += 1;
            }
            Some(end)
        }
        '"' => Some(quote_end(chars, at, '"')),
        // A lifetime is a quote and a word without a second quote.
        '\'' if next(1) == '\\' || next(2) == '\'' => Some(quote_end(chars, at, '\'')),
        _ => None,
    }
}

fn quote_end(chars: &[char], at: usize, quote: char) -> usize {
    let mut end = at + 1;
    while end < chars.len() && chars[end] != quote {
        end += if chars[end] == '\\' { 2 } else { 1 };
    }
    (end + 1).min(chars.len())
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Blanks every item under a `#[cfg(…test…)]`.
fn without_tests(code: &str) -> String {
    let mut chars: Vec<char> = code.chars().collect();
    let mut at = 0;
    while at < chars.len() {
        if chars[at] != '#' {
            at += 1;
            continue;
        }
        let end = attribute_end(&chars, at);
        let text: String = chars[at..end]
            .iter()
            .filter(|c| !c.is_whitespace())
            .collect();
        let test = text.starts_with("#[cfg(")
            && words(&text).any(|(_, word)| word == "test")
            && !text.contains("not(test)");
        if test {
            let end = item_end(&chars, end);
            for c in &mut chars[at..end] {
                if *c != '\n' {
                    *c = ' ';
                }
            }
        }
        at = end.max(at + 1);
    }
    chars.into_iter().collect()
}

/// For each line whether an attribute stands on it or runs over it.
fn attribute_lines(code: &str) -> Vec<bool> {
    let chars: Vec<char> = code.chars().collect();
    let mut lines = vec![false; code.lines().count()];
    let (mut at, mut line) = (0, 0);
    while at < chars.len() {
        let end = if chars[at] == '#' {
            attribute_end(&chars, at)
        } else {
            at + 1
        };
        for &c in &chars[at..end.max(at + 1)] {
            if chars[at] == '#' {
                lines[line] = true;
            }
            line += usize::from(c == '\n');
        }
        at = end.max(at + 1);
    }
    lines
}

fn attribute_end(chars: &[char], at: usize) -> usize {
    let mut depth = 0;
    for (ahead, &c) in chars[at..].iter().enumerate() {
        match c {
            '[' => depth += 1,
            ']' if depth == 1 => return at + ahead + 1,
            ']' => depth -= 1,
            '#' | '!' | ' ' => {}
            _ if depth == 0 => return at + ahead,
            _ => {}
        }
    }
    chars.len()
}

/// The end of the item that begins at `at`: its closing brace, or its semicolon.
fn item_end(chars: &[char], at: usize) -> usize {
    let (mut braces, mut others) = (0i32, 0i32);
    for (ahead, &c) in chars[at..].iter().enumerate() {
        match c {
            '{' => braces += 1,
            '}' if braces == 1 => return at + ahead + 1,
            '}' => braces -= 1,
            '(' | '[' => others += 1,
            ')' | ']' => others -= 1,
            ';' if braces == 0 && others == 0 => return at + ahead + 1,
            _ => {}
        }
    }
    chars.len()
}

/// The words of a line and where they begin (bytes).
fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    line.split(|c| !is_word(c))
        .filter(|word| !word.is_empty())
        .map(move |word| (word.as_ptr() as usize - line.as_ptr() as usize, word))
}

// ---- rules: source in, findings out ----

/// `crate::` and `super::` paths that leave the module, against the table.
fn imports(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    if source.depth == 0 {
        return found; // lib.rs is the map, main.rs calls cli through the library's name.
    }
    let Some((_, row)) = IMPORTS.iter().find(|(module, _)| *module == source.module) else {
        let instead = "a row in IMPORTS of tests/house.rs that says what it may name";
        return vec![source.at(
            0,
            &format!("module `{}` without a row", source.module),
            instead,
        )];
    };
    for (line, path) in paths(source) {
        let module = path.split("::").next().unwrap_or_default();
        if module == source.module || is_allowed(&source.module, row, &path) {
            continue;
        }
        let what = format!("`{}` naming `{path}`", source.module);
        found.push(source.at(
            line,
            &what,
            &format!("only: {}", allowed(&source.module, row)),
        ));
    }
    found
}

/// A row with what its place in the table adds.
fn allowed(module: &str, row: &str) -> String {
    let place = |name: &str| IMPORTS.iter().position(|(other, _)| *other == name);
    let mut all = String::from(row);
    if place(module) >= place("tape") {
        let _ = write!(all, " {NOUNS}");
    }
    all.trim().to_string()
}

fn is_allowed(module: &str, row: &str, path: &str) -> bool {
    allowed(module, row).split(' ').any(|name| {
        let inside = |name: &str| path == name || path.starts_with(&format!("{name}::"));
        match name {
            "*" => IMPORTS
                .iter()
                .take_while(|(other, _)| *other != module)
                .any(|(o, _)| inside(o)),
            name => inside(name),
        }
    })
}

/// Every path from the crate's root that the code names, groups opened, with its line.
fn paths(source: &Source) -> Vec<(usize, String)> {
    let code = source.code.join("\n");
    let mut found = Vec::new();
    let mut inline = Vec::new();
    let (mut braces, mut pending) = (0usize, false);
    let chars: Vec<char> = code.chars().collect();
    let (mut at, mut line) = (0, 0);
    while at < chars.len() {
        match chars[at] {
            '\n' => line += 1,
            '{' => {
                braces += 1;
                if pending {
                    inline.push(braces);
                }
                pending = false;
            }
            '}' => {
                if inline.last() == Some(&braces) {
                    inline.pop();
                }
                braces = braces.saturating_sub(1);
            }
            ';' => pending = false,
            c if is_word(c) => {
                let end = at + chars[at..].iter().take_while(|&&c| is_word(c)).count();
                let word: String = chars[at..end].iter().collect();
                pending |= word == "mod";
                if word == "crate" {
                    open(&chars, end, &mut found, line);
                } else if word == "super" && !(at > 1 && chars[at - 1] == ':') {
                    let (ups, rest) = climb(&chars, end);
                    if ups >= source.depth + inline.len() {
                        open(&chars, rest, &mut found, line);
                    }
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// How many `super` stand in a row, the first of which ends at `at`, and where the last ends.
fn climb(chars: &[char], mut at: usize) -> (usize, usize) {
    let next: Vec<char> = "::super".chars().collect();
    let mut ups = 1;
    while chars[at..].starts_with(&next) {
        ups += 1;
        at += next.len();
    }
    (ups, at)
}

/// Reads what follows a root: `::a::b` or `::{a, b::c}`; at most two names deep, which is what the table asks.
fn open(chars: &[char], at: usize, found: &mut Vec<(usize, String)>, line: usize) {
    let rest: String = chars[at..].iter().take(4_000).collect();
    let Some(rest) = rest.trim_start().strip_prefix("::") else {
        return;
    };
    if !rest.trim_start().starts_with('{') {
        if let Some(path) = two_names(rest) {
            // `shm::{record, …}`: each name of the group counts.
            let tail = rest
                .trim_start()
                .strip_prefix(path.as_str())
                .unwrap_or_default();
            match tail.strip_prefix("::").filter(|tail| tail.starts_with('{')) {
                Some(tail) => {
                    let inner = group(tail);
                    found.extend(inner.iter().map(|name| (line, format!("{path}::{name}"))));
                }
                None => found.push((line, path)),
            }
        }
        return;
    }
    for entry in group(rest.trim_start()) {
        found.push((line, entry));
    }
}

fn two_names(text: &str) -> Option<String> {
    let names: Vec<&str> = text
        .split("::")
        .map(str::trim)
        .take(2)
        .map(|part| part.split(|c| !is_word(c)).next().unwrap_or_default())
        .collect();
    let first = names.first().filter(|name| !name.is_empty())?;
    let plain = text.trim_start()[first.len()..].starts_with("::");
    match names.get(1).filter(|name| plain && !name.is_empty()) {
        Some(second) => Some(format!("{first}::{second}")),
        None => Some((*first).to_string()),
    }
}

/// The entries of `{ … }`, each at most two names deep.
fn group(text: &str) -> Vec<String> {
    let (mut depth, mut entry, mut all) = (0, String::new(), Vec::new());
    for c in text.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && c == ',') {
            all.extend(two_names(entry.trim_start_matches('{')));
            entry.clear();
            if depth == 0 {
                break;
            }
        } else {
            entry.push(c);
        }
    }
    all
}

/// Names that say nothing.
fn names(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let mut judge = |line: usize, kind: &str, name: &str| {
        for part in parts(name) {
            let word = WORDS.iter().find(|(word, _)| *word == part);
            let data = (part == "data" && kind != "fn")
                .then_some(&("data", "what the bytes are: frames, records, prices"));
            if let Some((word, instead)) = word.or(data) {
                let what = format!("`{word}` in the name `{name}`");
                found.push(source.at(line, &what, instead));
            }
        }
    };
    for part in source.path.trim_end_matches(".rs").split('/').skip(1) {
        judge(0, "file", part);
    }
    for (line, code) in source.code.iter().enumerate() {
        let line_words: Vec<&str> = words(code).map(|(_, word)| word).collect();
        for pair in line_words.windows(2) {
            if ["fn", "struct", "enum", "trait", "type", "mod", "union"].contains(&pair[0]) {
                judge(line, pair[0], pair[1]);
            }
        }
    }
    found
}

/// `FeedManager_two` -> feed, manager, two.
fn parts(name: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for c in name.chars() {
        if (c == '_' || c.is_uppercase()) && all.last().is_some_and(|part| !part.is_empty()) {
            all.push(String::new());
        }
        if c != '_'
            && let Some(part) = all.last_mut()
        {
            part.extend(c.to_lowercase());
        }
    }
    all
}

/// Tokens out of their place.
fn tokens(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for (line, code) in source.code.iter().enumerate() {
        for (token, places, instead) in TOKENS {
            if !places.contains(&source.module.as_str()) && has_token(code, token) {
                found.push(source.at(line, &format!("`{token}`"), instead));
            }
        }
    }
    found
}

/// True when `token` stands in `code` with no word running into it.
fn has_token(code: &str, token: &str) -> bool {
    code.match_indices(token).any(|(at, _)| {
        let before = code[..at].chars().next_back().is_some_and(is_word);
        let after = code[at + token.len()..].chars().next().is_some_and(is_word);
        let (first, last) = (token.chars().next(), token.chars().next_back());
        let runs_in = first.is_some_and(is_word) && before;
        let runs_on = last.is_some_and(is_word) && after;
        !runs_in && !runs_on
    })
}

/// Files that are too long.
fn sizes(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let lines = source
        .code
        .iter()
        .filter(|line| line.contains(char::is_alphabetic))
        .count();
    if lines > CODE_LINES {
        let what = format!("{lines} lines of code");
        let instead = format!("a folder of files below {CODE_LINES}, one idea each");
        found.push(source.at(0, &what, &instead));
    }
    found
}

/// Lines that are too long, raw strings not counted; a lone string says one thing, and breaking it would change it.
fn columns(path: &str, text: &str) -> Vec<String> {
    let (code, counted) = (without_text(text), without_frames(text));
    let mut found = Vec::new();
    for (line, (raw, code)) in counted.lines().zip(code.lines()).enumerate() {
        let columns = raw.chars().count();
        let lone = code.trim().len() <= 1 && raw.trim_start().starts_with('"');
        if columns > COLUMNS && !lone {
            found.push(format!(
                "{path}:{}: found a line of {columns} columns; write instead: at most {COLUMNS}",
                line + 1
            ));
        }
    }
    found
}

/// Every `unsafe` has its argument beside it.
fn safety(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for (line, code) in source.code.iter().enumerate() {
        let types = ["unsafe fn(", "unsafe extern \"C\" fn(", "unsafe("];
        let plain = types
            .iter()
            .fold(code.clone(), |code, skip| code.replace(skip, ""));
        if has_token(&plain, "unsafe") && !argued(source, line, &["SAFETY:", "# Safety"], 0) {
            let instead = "`// SAFETY:` above it, naming the fact and who keeps it";
            found.push(source.at(line, "`unsafe` without an argument", instead));
        }
    }
    found
}

/// Every memory order is argued, within a few lines: a loop under a fence shares its argument.
fn orders(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    if !ORDERED.contains(&source.module.as_str()) {
        return found;
    }
    let mut importing = false;
    for (line, code) in source.code.iter().enumerate() {
        let start = code.trim_start();
        importing |= start.starts_with("use ") || start.starts_with("pub use ");
        if importing {
            importing = !code.contains(';');
            continue;
        }
        let order = ORDERS.iter().find(|order| has_token(code, order));
        if let Some(order) = order
            && !argued(source, line, &["ORDER:"], 6)
        {
            let instead = "`// ORDER:` above it, naming its pair";
            found.push(source.at(line, &format!("`{order}` without an argument"), instead));
        }
    }
    found
}

/// True when one of `marks` stands on the line or above it: through comments, attributes, the rest of the statement,
/// and `spare` lines of other code, but not past an empty line.
fn argued(source: &Source, line: usize, marks: &[&str], mut spare: usize) -> bool {
    for at in (0..=line).rev() {
        let raw = source.raw[at].trim();
        if marks.iter().any(|mark| raw.contains(mark)) {
            return true;
        }
        let note = raw.starts_with("//") || source.attribute[at];
        if at == line || note {
            continue;
        }
        let ended = raw.ends_with([';', '}', '{', ',']) || raw.is_empty();
        if ended && (spare == 0 || raw.is_empty()) {
            return false;
        }
        spare -= usize::from(ended);
    }
    false
}

/// Places that exist on one machine only.
fn places(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (line, raw) in text.lines().enumerate() {
        for place in PLACES {
            let hit = raw.match_indices(place).any(|(at, _)| {
                let before = raw[..at].chars().next_back();
                !before.is_some_and(|c| is_word(c) || ['.', '-', '}', ')'].contains(&c))
            });
            if hit {
                found.push(format!(
                    "{path}:{}: found `{place}`; write instead: a path from the repository, the plan or the environment",
                    line + 1
                ));
            }
        }
    }
    found
}

// ---- the tree ----

/// Keys of a proof's JSON (`"key": ` in what ships) that its document does not name.
fn undocumented(source: &Source) -> Vec<String> {
    if source.module != "prove" {
        return Vec::new();
    }
    let told = std::fs::read_to_string(root().join("docs/JSON.md")).unwrap();
    let lines = source.raw.iter().zip(&source.code).enumerate();
    let shipped = lines.filter(|(_, (_, code))| !code.trim().is_empty());
    // What stands before each `": `, from the quote before it on.
    let keys = shipped.flat_map(|(line, (raw, _))| {
        let ends = raw.match_indices("\": ").map(|(end, _)| &raw[..end]);
        ends.filter_map(move |part| Some((line, part.rsplit_once('"')?.1)))
    });
    let is_key = |key: &str| {
        let mut chars = key.chars();
        !key.is_empty() && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    keys.filter(|(_, key)| is_key(key) && !told.contains(&format!("`{key}`")))
        .map(|(line, key)| source.at(line, key, "what it is, in docs/JSON.md"))
        .collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Files and empty folders below `at`, without build output and version control.
fn walk(at: &Path, files: &mut Vec<PathBuf>, empty: &mut Vec<PathBuf>) {
    let skip = ["target", ".git", "artifacts"];
    let mut entries: Vec<PathBuf> = std::fs::read_dir(at)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    if entries.is_empty() {
        empty.push(at.to_path_buf());
    }
    for entry in entries {
        let name = entry
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if skip.contains(&name.as_str()) {
            continue;
        }
        if entry.is_dir() {
            walk(&entry, files, empty);
        } else {
            files.push(entry);
        }
    }
}

fn tree() -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (mut files, mut empty) = (Vec::new(), Vec::new());
    walk(&root(), &mut files, &mut empty);
    (files, empty)
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let (files, _) = tree();
    let all: Vec<Source> = (files.iter())
        .filter(|file| file.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|file| file.strip_prefix(&src).ok().map(|path| (file, path)))
        .map(|(file, path)| {
            let path = path.to_string_lossy().replace('\\', "/");
            Source::new(&path, &std::fs::read_to_string(file).unwrap())
        })
        .collect();
    assert!(all.len() > 5, "the sources were not found");
    all
}

/// A rule over the text files of the repository with one of these endings (none = every file).
fn texts(endings: &[&str], rule: impl Fn(&str, &str) -> Vec<String>) -> Vec<String> {
    let ending = |file: &Path| {
        let ending = file
            .extension()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        endings.is_empty() || endings.contains(&ending.as_str())
    };
    (tree().0.iter().filter(|file| ending(file)))
        .filter_map(|file| std::fs::read_to_string(file).ok().map(|text| (file, text)))
        .flat_map(|(file, text)| {
            rule(
                &file
                    .strip_prefix(root())
                    .unwrap_or(file)
                    .display()
                    .to_string(),
                &text,
            )
        })
        .collect()
}

fn check(rule: impl Fn(&Source) -> Vec<String>) {
    report(&sources().iter().flat_map(rule).collect::<Vec<_>>());
}

fn report(found: &[String]) {
    assert!(
        found.is_empty(),
        "{} findings\n{}\n",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn the_table_has_no_circles() {
    for (place, (module, row)) in IMPORTS.iter().enumerate() {
        for name in allowed(module, row)
            .split(' ')
            .filter(|name| !name.is_empty() && *name != "*")
        {
            let name = name.split("::").next().unwrap_or_default();
            let above = IMPORTS[..place].iter().any(|(other, _)| *other == name);
            assert!(above, "`{module}` names `{name}`, which is not above it");
        }
    }
}

#[test]
fn every_module_names_only_what_its_row_allows() {
    check(imports);
}

#[test]
fn names_say_something() {
    check(names);
}

#[test]
fn tokens_stand_in_their_place() {
    check(tokens);
}

#[test]
fn files_are_short() {
    check(sizes);
}

#[test]
fn lines_are_short() {
    report(&texts(&["rs", "py", "c", "h"], columns));
}

#[test]
fn every_unsafe_is_argued() {
    check(safety);
}

#[test]
fn every_memory_order_is_argued() {
    check(orders);
}

#[test]
fn nothing_names_a_place_of_one_machine() {
    report(&texts(&[], places));
}

#[test]
fn keys_of_a_proof_are_documented() {
    check(undocumented);
}

#[test]
fn no_folder_is_empty() {
    let found: Vec<String> = (tree().1.iter())
        .map(|at| {
            format!(
                "{}:0: found an empty folder; write instead: nothing",
                at.display()
            )
        })
        .collect();
    report(&found);
}

// ---- the rules can fail ----

fn caught(rule: fn(&Source) -> Vec<String>, path: &str, text: &str) -> Vec<usize> {
    rule(&Source::new(path, text))
        .iter()
        .map(|finding| finding.split(':').nth(1).unwrap().parse().unwrap())
        .collect()
}

#[test]
fn a_forbidden_import_is_caught_in_every_spelling() {
    for text in [
        "use crate::wire::Socket;",
        "use crate::{num::Px, wire};",
        "use crate::{num::{Px, Qty}, wire::{self}};",
        "fn a() { let _ = crate::wire::open(); }",
        "use super::wire::Socket;",
        "mod inner { use super::super::wire; }",
        "use crate::shm::record::Headline;",
    ] {
        assert_eq!(caught(imports, "book.rs", text), [1], "{text}");
    }
    assert_eq!(
        caught(imports, "zone/life.rs", "use super::super::wire;"),
        [1]
    );
    for text in [
        "use crate::num::Px;",
        "use crate::{num::Px, book::Rung};",
        "// use crate::wire;\n/* crate::wire */",
        "const A: &str = \"crate::wire\";",
        "#[cfg(test)]\nmod tests { use crate::wire; }",
        "mod inner { use super::Px; }",
        "pub(crate) fn a() {}",
    ] {
        assert_eq!(caught(imports, "book.rs", text), [], "{text}");
    }
    assert_eq!(
        caught(imports, "shard.rs", "use crate::shm::record::Wide;"),
        []
    );
    assert_eq!(
        caught(imports, "shard.rs", "use crate::shm::{record, writer};"),
        [1]
    );
    assert_eq!(
        caught(imports, "shard.rs", "use crate::{shm::writer};"),
        [1]
    );
    assert_eq!(caught(imports, "shard.rs", "use crate::shm;"), [1]);
    assert_eq!(
        caught(imports, "viewer/mod.rs", "use crate::event::Event;"),
        []
    );
    assert_eq!(
        caught(imports, "run.rs", "use crate::viewer;\nuse crate::cli;"),
        [2]
    );
    assert_eq!(caught(imports, "novel.rs", ""), [1]);
    assert_eq!(caught(imports, "lib.rs", "pub use crate::cli;"), []);
}

#[test]
fn a_key_without_a_word_is_caught() {
    let text = "json!({\n    \"verdict\": 1,\n    \"colour_of_it\": \"Red\": 2,\n})\n#[cfg(test)]\nmod tests { \
                const A: &str = \"\\\"other_key\": 1\"; }";
    assert_eq!(caught(undocumented, "prove/report.rs", text), [3]);
    assert!(caught(undocumented, "viewer/json.rs", text).is_empty());
}

#[test]
fn a_poor_name_is_caught() {
    for text in [
        "struct FeedManager;",
        "fn price_helper() {}",
        "mod data {}",
        "type MarketData = u8;",
    ] {
        assert_eq!(caught(names, "book.rs", text), [1], "{text}");
    }
    assert_eq!(caught(names, "book/utils.rs", ""), [1]);
    for text in [
        "const NO_DATA: u8 = 0;",
        "fn data() {}",
        "fn uncommonly() {}",
        "// manager",
    ] {
        assert_eq!(caught(names, "book.rs", text), [], "{text}");
    }
}

#[test]
fn a_token_out_of_place_is_caught() {
    for text in [
        "let a = b.unwrap();",
        "println!(\"{}\", 1);",
        "fn a() -> f64 { b }",
        "unsafe { a() }",
        "let a = b as f32;",
    ] {
        assert_eq!(caught(tokens, "book.rs", text), [1], "{text}");
        let hidden = format!("#[cfg(test)]\n#[allow(x)]\nmod tests {{ fn a() {{ {text} }} }}");
        assert_eq!(caught(tokens, "book.rs", &hidden), [], "{text}");
        assert_eq!(caught(tokens, "book/tests.rs", text), [], "{text}");
    }
    let after = "#[cfg(test)]\nmod tests { const A: [u8; 2] = [0; 2]; }\nfn a() { b.unwrap() }";
    assert_eq!(caught(tokens, "book.rs", after), [3]);
    assert_eq!(
        caught(
            tokens,
            "book.rs",
            "#[cfg(not(test))]\nfn a() { b.unwrap() }"
        ),
        [2]
    );
    for text in [
        "eprintln!(\"\");",
        "#![forbid(unsafe_code)]",
        "let a = \"f64 .unwrap()\";",
        "let a = r#\"\" unsafe\"#;",
        "let a = '\"'; let b: &'static str = c; // unsafe",
    ] {
        assert_eq!(caught(tokens, "book.rs", text), [], "{text}");
    }
    assert_eq!(caught(tokens, "sim/mod.rs", "fn a() -> f64 { b }"), []);
}

#[test]
fn a_missing_argument_is_caught() {
    for text in [
        "unsafe { a() }",
        "// SAFETY: b\n\nlet c = 1;\nunsafe { a() }",
    ] {
        assert!(!caught(safety, "shm/mod.rs", text).is_empty(), "{text}");
    }
    for text in [
        "// SAFETY: the caller owns it\n#[inline]\nunsafe { a() }",
        "// SAFETY: the caller owns it\nlet b =\n    unsafe { a() };",
        "/// # Safety\n/// Only once.\npub unsafe fn a() {}",
        "/// # Safety\n/// Once.\n#[cfg_attr(\n    a,\n    allow(b)\n)]\npub unsafe fn a() {}",
        "type A = unsafe fn(u8);",
    ] {
        assert_eq!(caught(safety, "shm/mod.rs", text), [], "{text}");
    }
    assert_eq!(caught(orders, "ring.rs", "a.load(Ordering::Acquire);"), [1]);
    assert_eq!(
        caught(orders, "ring.rs", "// ORDER: x\n\na.load(Relaxed);"),
        [3]
    );
    assert_eq!(
        caught(
            orders,
            "ring.rs",
            "use a::{\n Relaxed,\n};\n// ORDER: b\nc.load(Relaxed);"
        ),
        []
    );
    assert_eq!(caught(orders, "book.rs", "a.load(Relaxed);"), []);
}

#[test]
fn what_is_too_long_is_caught() {
    let long = "let a = 1;\n".repeat(CODE_LINES + 1);
    assert_eq!(caught(sizes, "book.rs", &long), [1]);
    let numbers = "1, 2, 3,\n".repeat(CODE_LINES * 2);
    assert_eq!(caught(sizes, "book.rs", &numbers), []);
    let wide = "x".repeat(COLUMNS);
    assert_eq!(columns("a", &format!("\n//{wide}")).len(), 1);
    assert_eq!(columns("a", &format!("\nlet a = \"{wide}\";")).len(), 1);
    assert_eq!(columns("a", &format!("\n\"{wide}\",")).len(), 0);
    assert_eq!(
        columns("a", &format!("let a = br#\"{{\n{wide}\n}}\"#;\n//")).len(),
        0
    );
    assert_eq!(
        columns("a", &format!("let a = r#\"{{\n}}\"#; // {wide}")).len(),
        1
    );
}

#[test]
fn a_place_of_one_machine_is_caught() {
    let place = PLACES[0];
    assert_eq!(places("a", &format!("\npath = \"{place}me\"")).len(), 1);
    assert_eq!(places("a", &format!("https://example.org{place}")).len(), 0);
    assert_eq!(places("a", "/dev/shm /etc /usr /run /proc /sys").len(), 0);
}
