//! Which services a document has: patterns as Python's `fnmatch` reads them.
//!
//! Pure. A glob crate would read `{a,b}`, `\` and `[^a]` differently from what Zato does.

use regex::Regex;

/// Patterns of names.
#[derive(Clone, Debug, Default)]
pub struct Patterns(Vec<Regex>);

impl Patterns {
    /// From text such as `api.*`.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, regex::Error> {
        let trimmed = patterns
            .into_iter()
            .map(str::trim)
            .filter(|pattern| !pattern.is_empty());
        Ok(Self(
            trimmed
                .map(|pattern| Regex::new(&translate(pattern)))
                .collect::<Result<_, _>>()?,
        ))
    }

    /// Whether one of them matches the whole name.
    pub fn matches(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| pattern.is_match(name))
    }
}

/// A pattern of `fnmatch` as a regular expression.
fn translate(pattern: &str) -> String {
    let characters: Vec<char> = pattern.chars().collect();
    let mut result = String::from("(?s)^");
    let mut index = 0;
    while let Some(character) = characters.get(index) {
        index += 1;
        match character {
            '*' => result.push_str(".*"),
            '?' => result.push('.'),
            '[' => match class(&characters[index..]) {
                Some((class, length)) => {
                    result.push_str(&class);
                    index += length;
                }
                None => result.push_str(r"\["),
            },
            other => result.push_str(&regex::escape(&other.to_string())),
        }
    }
    result + "$"
}

/// A class such as `[a-c]` or `[!a]` after its bracket, and how long it is. A bracket that nothing closes is itself.
fn class(rest: &[char]) -> Option<(String, usize)> {
    let negated = rest.first() == Some(&'!');
    let body = if negated { &rest[1..] } else { rest };
    // A closing bracket in the first place is a member.
    let end = body.iter().skip(1).position(|character| *character == ']')? + 1;
    let (mut members, mut index) = (String::new(), 0);
    while index < end {
        let first = body[index];
        let is_range = index + 2 < end && body[index + 1] == '-';
        let last = if is_range { body[index + 2] } else { first };
        // A range that runs backwards has no member.
        if first <= last {
            members.extend([escaped(first), "-".into(), escaped(last)]);
        }
        index += if is_range { 3 } else { 1 };
    }
    let class = match (members.is_empty(), negated) {
        (true, true) => ".".to_owned(),
        (true, false) => r"[^\s\S]".to_owned(),
        (false, true) => format!("[^{members}]"),
        (false, false) => format!("[{members}]"),
    };
    Some((class, end + 1 + usize::from(negated)))
}

fn escaped(character: char) -> String {
    format!(r"\x{{{:x}}}", u32::from(character))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    // What Python 3.10's fnmatch answered.
    #[rstest]
    #[case("a.b", "a.*", true)]
    #[case("a", "a.*", false)]
    #[case("ab", "a?", true)]
    #[case("a/b", "*", true)]
    #[case("a\nb", "*", true)]
    #[case("a", "[!b]", true)]
    #[case("^", "[^a]", true)]
    #[case("b", "[^a]", false)]
    #[case("[", "[[]", true)]
    #[case("[a", "[a", true)]
    #[case("a]", "[]a]]", true)]
    #[case("]", "[]a]", true)]
    #[case("b", "[a-c]", true)]
    #[case("{a,b}", "{a,b}", true)]
    #[case("a", "{a,b}", false)]
    #[case("A", "a", false)]
    #[case("a*", "a[*]", true)]
    #[case("\\", "\\", true)]
    #[case("x", "[!]", false)]
    #[case("[!]", "[!]", true)]
    #[case("-", "[a-]", true)]
    #[case("b", "[c-a]", false)]
    fn patterns_match_as_in_python(#[case] name: &str, #[case] pattern: &str, #[case] expected: bool) {
        assert_eq!(Patterns::new([pattern]).unwrap().matches(name), expected);
    }

    proptest! {
        #[test]
        fn every_pattern_is_understood(pattern in "[\\[\\]!^*?a-c\\\\{},.-]{0,12}") {
            prop_assert!(Patterns::new([pattern.as_str()]).is_ok(), "{}", translate(&pattern));
        }

        #[test]
        fn a_name_without_wildcards_matches_itself(name in "[a-z.-]{1,20}", other in "[a-z.-]{1,20}") {
            let patterns = Patterns::new([name.as_str()]).unwrap();
            prop_assert!(patterns.matches(&name));
            prop_assert_eq!(patterns.matches(&other), name == other);
        }
    }
}
