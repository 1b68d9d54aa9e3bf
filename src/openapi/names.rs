//! Names that Zato derives: of services without one, of modules, of schemas and operations.
//!
//! Pure text. The rules: `zato-server/src/zato/server/service/__init__.py`, `zato-common/src/zato/common/util/api.py`,
//! `python_.py` and `file_system.py` beside it.

use std::collections::BTreeSet;
use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The name of a service whose class sets none.
pub fn service(module: &str, class: &str) -> String {
    let words = uncamelify(&format!("{module}.{class}"));
    let mut parts: Vec<&str> = words.split('.').collect();
    let class = parts.pop().unwrap_or_default();
    let path: Vec<String> = parts.iter().map(|part| part.replace('_', "-")).collect();
    let class = class.strip_prefix('-').unwrap_or(class);
    format!("{}.{}", path.join("."), class.replace("_-", "_"))
}

/// What need not be escaped in a part of a path.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'.')
    .remove(b'-')
    .remove(b'_')
    .remove(b'~');

/// Where a service is invoked by its name, by a path with `{service_name}`.
pub fn invoke_path(pattern: &str, service: &str) -> String {
    let escaped = utf8_percent_encode(service, UNRESERVED).to_string();
    pattern.replace("{service_name}", &escaped)
}

/// `GetUser` as `get-user`.
fn uncamelify(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut spaced = String::new();
    for (index, character) in characters.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| characters.get(before));
        let after = characters.get(index + 1);
        let follows_lower = before.is_some_and(char::is_ascii_lowercase);
        let leads_lower = before.is_some() && after.is_some_and(char::is_ascii_lowercase);
        if character.is_ascii_uppercase() && (follows_lower || leads_lower) {
            spaced.push(' ');
        }
        spaced.push(*character);
    }
    let words: Vec<String> = spaced.split_whitespace().map(str::to_lowercase).collect();
    words.join("-")
}

/// The name of the module of a file, as Zato takes it from the file's path.
pub fn module(path: &Path) -> String {
    let mut folders: Vec<String> = path
        .components()
        .filter_map(|part| part.as_os_str().to_str())
        .map(str::to_owned)
        .collect();
    folders.pop();
    let stem = path
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or("module");
    if folders.last().is_some_and(|folder| folder == "services") {
        return stem.to_owned();
    }
    let root = ["src", "source"]
        .iter()
        .find_map(|root| folders.iter().rposition(|folder| folder == root));
    let Some(root) = root else {
        return stem.to_owned();
    };
    let mut parts = folders.split_off(root + 1);
    if stem != "__init__" {
        parts.push(stem.to_owned());
    }
    if parts.is_empty() {
        stem.to_owned()
    } else {
        parts.join(".")
    }
}

/// `/a/{b}` as `/a/{}`: how a parameter is called cannot be seen from outside, and Zato tells no paths apart by it.
pub fn without_names(path: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { "{}" } else { part }.to_owned();
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// A name that is safe in a reference: punctuation and white space become underscores.
pub fn safe(name: &str) -> String {
    name.chars()
        .map(|character| {
            if character.is_ascii_alphanumeric() {
                character
            } else {
                '_'
            }
        })
        .collect()
}

/// A name of a schema: as [`safe`], but dots may stay.
pub fn schema(name: &str) -> String {
    name.chars()
        .map(|character| {
            let stays = character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-');
            if stays { character } else { '_' }
        })
        .collect()
}

/// The name, or the first of `name_2`, `name_3`, .. that is free; it is taken then.
pub fn unique(taken: &mut BTreeSet<String>, name: String) -> String {
    let (mut candidate, mut number) = (name.clone(), 1);
    while !taken.insert(candidate.clone()) {
        number += 1;
        candidate = format!("{name}_{number}");
    }
    candidate
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    // What Zato 3.2's own functions answered.
    #[rstest]
    #[case("my_mod", "GetUser", "my-mod.get-user")]
    #[case("my_mod", "A", "my-mod.a")]
    #[case("a", "HTTPService", "a.http-service")]
    #[case("a", "My_Service", "a.my_service")]
    #[case("a", "getUserID", "a.get-user-id")]
    #[case("a", "A1B2", "a.a1b2")]
    #[case("a", "ILikeToReadWSDLDocs", "a.i-like-to-read-wsdl-docs")]
    #[case("MyMod", "Svc", "my-mod.svc")]
    #[case("pkg.my_mod", "Get_ABc", "pkg.my-mod.get_a-bc")]
    fn services_are_named_as_zato_does(#[case] module: &str, #[case] class: &str, #[case] expected: &str) {
        assert_eq!(service(module, class), expected);
    }

    #[rstest]
    #[case("a.py", "a")]
    #[case("x/services/a.py", "a")]
    #[case("x/src/pkg/a.py", "pkg.a")]
    #[case("x/src/pkg/__init__.py", "pkg")]
    #[case("src/services/src/q/a.py", "q.a")]
    #[case("pkg/a.py", "a")]
    fn modules_are_named_as_zato_does(#[case] path: &str, #[case] expected: &str) {
        assert_eq!(module(Path::new(path)), expected);
    }

    #[test]
    fn safe_names() {
        assert_eq!(safe("/zato/api/invoke/a.b-c"), "_zato_api_invoke_a_b_c");
        assert_eq!(schema("my_mod.Us\u{e9}r"), "my_mod.Us_r");
    }
}
