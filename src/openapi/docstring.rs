//! Docstrings: summary, description and tags of a service, and what the lines `* name - text` say of its elements.
//!
//! Pure text. Never judges whether a name exists.

use std::collections::BTreeMap;

/// The tag of text without one (`zato-common/src/zato/common/api.py`, `APISPEC`).
const PUBLIC: &str = "public";

/// What a service's docstring says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Documentation {
    /// Its first line.
    pub summary: String,
    /// All the rest.
    pub description: String,
}

/// The text of a docstring without the indentation of the code around it, as Python's `inspect.cleandoc` does it.
pub fn clean(text: &str) -> String {
    let text = text.replace('\t', "        ");
    let mut lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let indent = lines
        .iter()
        .skip(1)
        .filter(|line| !line.is_empty())
        .map(|line| line.len() - line.trim_start_matches(' ').len())
        .min()
        .unwrap_or(0);
    for (index, line) in lines.iter_mut().enumerate() {
        *line = if index == 0 {
            line.trim_start()
        } else {
            line.get(indent..).unwrap_or_default()
        };
    }
    lines.join("\n").trim_matches('\n').to_owned()
}

/// Summary and description of the parts of `text` that have one of `tags`.
///
/// A line that starts with `@` begins a part; what comes before the first one is `public`.
pub fn documentation(text: &str, tags: &[String]) -> Documentation {
    let text = clean(text);
    let mut parts: Vec<(String, Vec<&str>)> = vec![(PUBLIC.into(), Vec::new())];
    for line in text.lines() {
        if let Some(tag) = line.trim().strip_prefix('@') {
            parts.push((tag.trim().into(), Vec::new()));
        } else if let Some((_, lines)) = parts.last_mut() {
            lines.push(line);
        }
    }
    let mut result = Documentation::default();
    let mut paragraphs = Vec::new();
    for (tag, lines) in parts {
        let wanted = tags.contains(&tag);
        let body = clean(&format!("\n{}", lines.join("\n")));
        if !wanted || body.trim().is_empty() {
            continue;
        }
        let (first, rest) = body.split_once('\n').unwrap_or((&body, ""));
        if tag != PUBLIC {
            paragraphs.push(format!("**@{tag}**"));
        }
        if result.summary.is_empty() {
            result.summary = first.trim().into();
            paragraphs.push(clean(&format!("\n{rest}")));
        } else {
            paragraphs.push(body);
        }
    }
    paragraphs.retain(|paragraph| !paragraph.trim().is_empty());
    result.description = paragraphs.join("\n\n");
    result
}

/// Which side of a service a line describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// What it accepts.
    Input,
    /// What it returns.
    Output,
}

/// Descriptions of elements, by side and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Descriptions {
    known: BTreeMap<(Side, String), String>,
    /// Those of which the text does not say the side, first and second mention.
    open: BTreeMap<String, Vec<String>>,
}

impl Descriptions {
    /// What is said of an element, or nothing.
    pub fn of(&self, side: Side, name: &str) -> String {
        if let Some(text) = self.known.get(&(side, name.to_owned())) {
            return text.clone();
        }
        let mentions = self.open.get(name);
        let second = (side == Side::Output)
            .then(|| mentions.and_then(|texts| texts.get(1)))
            .flatten();
        let text = second.or_else(|| mentions.and_then(|texts| texts.first()));
        text.cloned().unwrap_or_default()
    }
}

/// Reads the lines `* name - text`, with the lines that continue them.
///
/// A line `/`, or the headings `Input` and `Output`, say which side follows. Without them a name that is described
/// twice is first of the input, then of the output.
pub fn descriptions(text: &str) -> Descriptions {
    let text = clean(text);
    let separated = text.lines().any(|line| line.trim() == "/");
    let mut side = separated.then_some(Side::Input);
    let mut result = Descriptions::default();
    let mut current: Option<(String, Vec<String>)> = None;
    for line in text.lines() {
        let heading = heading(line);
        if let Some((name, first)) = entry(line) {
            result.add(side, current.replace((name, vec![first])));
        } else if heading.is_some() {
            result.add(side, current.take());
            side = heading;
        } else if let Some((_, lines)) = &mut current {
            lines.push(line.trim().to_owned());
        }
    }
    result.add(side, current);
    result
}

impl Descriptions {
    fn add(&mut self, side: Option<Side>, entry: Option<(String, Vec<String>)>) {
        let Some((name, lines)) = entry else { return };
        let text = paragraphs(&lines);
        match side {
            Some(side) => {
                self.known.insert((side, name), text);
            }
            None => self.open.entry(name).or_default().push(text),
        }
    }
}

fn heading(line: &str) -> Option<Side> {
    match line.trim().trim_end_matches(':').to_lowercase().as_str() {
        "input" => Some(Side::Input),
        "/" | "output" => Some(Side::Output),
        _ => None,
    }
}

/// The name and the first line of `* name - text`.
fn entry(line: &str) -> Option<(String, String)> {
    let rest = line.trim().strip_prefix('*')?;
    let rest = rest.strip_prefix(char::is_whitespace)?.trim_start();
    let (name, text) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let text = text.trim_start();
    let text = text.strip_prefix("- ").unwrap_or(text).trim();
    let known = !name.is_empty() && name != "-";
    known.then(|| (name.trim_end_matches(':').to_owned(), text.to_owned()))
}

/// Lines as paragraphs: an empty line ends one.
fn paragraphs(lines: &[String]) -> String {
    let text = lines.join("\n");
    let parts = text
        .split("\n\n")
        .map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    parts
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("\n\n")
}

impl Descriptions {
    /// These, and what `other` says of more elements.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        for (key, text) in other.known {
            self.known.entry(key).or_insert(text);
        }
        for (name, texts) in other.open {
            self.open.entry(name).or_insert(texts);
        }
        self
    }
}
