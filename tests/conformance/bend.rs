//! Bend: the same JSON in other forms. A frame is cut into a tree whose leaves keep the bytes they were written with,
//! so that a number's digits survive being quoted, unquoted and moved.

/// A piece of JSON.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    /// A string with its quotes, a number, a word.
    Leaf(String),
    List(Vec<Node>),
    /// Keys with their quotes.
    Object(Vec<(String, Node)>),
}

impl Node {
    /// Reads well-formed JSON without spaces around it.
    pub(crate) fn read(text: &str) -> Self {
        let mut rest = text;
        let node = Self::next(&mut rest);
        assert!(rest.trim().is_empty(), "{rest}");
        node
    }

    fn next(rest: &mut &str) -> Self {
        skip(rest);
        match rest.as_bytes()[0] {
            open @ (b'{' | b'[') => {
                let close = if open == b'{' { '}' } else { ']' };
                let (mut list, mut object) = (Vec::new(), Vec::new());
                *rest = &rest[1..];
                skip(rest);
                while !rest.starts_with(close) {
                    if open == b'{' {
                        let key = leaf(rest);
                        skip(rest);
                        *rest = rest.strip_prefix(':').unwrap();
                        object.push((key, Self::next(rest)));
                    } else {
                        list.push(Self::next(rest));
                    }
                    skip(rest);
                    *rest = rest.strip_prefix(',').unwrap_or(rest);
                    skip(rest);
                }
                *rest = &rest[1..];
                match open {
                    b'{' => Self::Object(object),
                    _ => Self::List(list),
                }
            }
            _ => Self::Leaf(leaf(rest)),
        }
    }

    /// As text again.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Leaf(text) => text.clone(),
            Self::List(list) => {
                let all: Vec<_> = list.iter().map(Self::text).collect();
                format!("[{}]", all.join(","))
            }
            Self::Object(object) => {
                let all = object
                    .iter()
                    .map(|(key, node)| format!("{key}:{}", node.text()));
                let all: Vec<_> = all.collect();
                format!("{{{}}}", all.join(","))
            }
        }
    }

    /// How many nodes there are.
    pub(crate) fn count(&self) -> usize {
        1 + match self {
            Self::Leaf(_) => 0,
            Self::List(list) => list.iter().map(Self::count).sum(),
            Self::Object(object) => object.iter().map(|(_, node)| node.count()).sum(),
        }
    }

    /// The same with the node of this number changed.
    pub(crate) fn changed(&self, mut number: usize, change: impl FnOnce(&mut Self)) -> Self {
        let mut copy = self.clone();
        if let Some(node) = copy.at(&mut number) {
            change(node);
        }
        copy
    }

    fn at(&mut self, number: &mut usize) -> Option<&mut Self> {
        if *number == 0 {
            return Some(self);
        }
        *number -= 1;
        match self {
            Self::Leaf(_) => None,
            Self::List(list) => list.iter_mut().find_map(|node| node.at(number)),
            Self::Object(object) => object.iter_mut().find_map(|(_, node)| node.at(number)),
        }
    }
}

fn skip(rest: &mut &str) {
    *rest = rest.trim_start();
}

/// A string with its quotes (without escapes), or what stands up to the next sign.
fn leaf(rest: &mut &str) -> String {
    let len = match rest.strip_prefix('"') {
        Some(inner) => inner.find('"').unwrap() + 2,
        None => rest.find([',', '}', ']', ':']).unwrap_or(rest.len()),
    };
    let (text, behind) = rest.split_at(len);
    *rest = behind;
    text.to_owned()
}

/// What is written in a field that nobody knows.
const UNKNOWN: &str = r#"{"x":[1,{"y":"}],"}],"z":null}"#;

/// A frame in every order of its keys that reverses or turns one object, or all of them.
pub(crate) fn reordered(frame: &str) -> Vec<String> {
    let whole = Node::read(frame);
    let mut all = Vec::new();
    let mut every = whole.clone();
    for number in 0..whole.count() {
        every = every.changed(number, |node| turn(node, 1));
        for by in 0..6 {
            all.push(whole.changed(number, |node| turn(node, by)).text());
        }
    }
    all.push(every.text());
    all.retain(|text| text != frame);
    all
}

/// The last key becomes the first, so many times; none is the other way round.
fn turn(node: &mut Node, by: usize) {
    if let Node::Object(object) = node {
        match by {
            0 => object.reverse(),
            _ => {
                let len = object.len().max(1);
                object.rotate_right(by % len);
            }
        }
    }
}

/// A frame with an unknown field at every place of every object.
pub(crate) fn extended(frame: &str) -> Vec<String> {
    let whole = Node::read(frame);
    let mut all = Vec::new();
    for number in 0..whole.count() {
        let mut places = 0;
        let _ = whole.changed(number, |node| {
            if let Node::Object(object) = node {
                places = object.len() + 1;
            }
        });
        for place in 0..places {
            let more = whole.changed(number, |node| {
                if let Node::Object(object) = node {
                    let field = ("\"unheardOf\"".to_owned(), Node::Leaf(UNKNOWN.to_owned()));
                    object.insert(place, field);
                }
            });
            all.push(more.text());
        }
    }
    all
}

/// A frame with each number quoted, each quoted number bare; and all of them.
pub(crate) fn requoted(frame: &str) -> Vec<String> {
    let whole = Node::read(frame);
    let mut all = Vec::new();
    let (mut bare, mut quoted) = (whole.clone(), whole.clone());
    for number in 0..whole.count() {
        bare = bare.changed(number, unquote);
        quoted = quoted.changed(number, quote);
        for change in [unquote, quote] {
            all.push(whole.changed(number, change).text());
        }
    }
    all.extend([bare.text(), quoted.text()]);
    all.retain(|text| text != frame);
    all
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let whole = digits.split('.').next().unwrap_or_default();
    // `00…`, and what has thirty digits, is a name.
    !whole.is_empty()
        && (whole == "0" || !whole.starts_with('0'))
        && !digits.ends_with('.')
        && digits.matches('.').count() <= 1
        && digits.bytes().all(|b| b == b'.' || b.is_ascii_digit())
}

fn unquote(node: &mut Node) {
    if let Node::Leaf(text) = node {
        let inner = text.trim_matches('"').to_owned();
        if is_number(&inner) {
            *text = inner;
        }
    }
}

fn quote(node: &mut Node) {
    if let Node::Leaf(text) = node
        && is_number(text)
    {
        *text = format!("\"{text}\"");
    }
}
