//! Names of Python files as ConfigMaps can have them, without slashes: `shop.prices.py` is the module `shop.prices`.
//!
//! Pure text.

/// How long a name may be: the same limit as the schema has for files in the object itself.
const CHARACTERS: usize = 100;

/// Whether a file is a module in a package.
pub fn is_in_package(file: &str) -> bool {
    stem(file).contains('.')
}

/// The module of a file.
pub fn stem(file: &str) -> &str {
    file.strip_suffix(".py").unwrap_or(file)
}

/// The first name of a file's module: its own, or that of the package which it is in.
pub fn first(file: &str) -> &str {
    stem(file).split('.').next().unwrap_or_default()
}

/// What is wrong with a file's name, if it is no name of a module.
pub fn wrong(file: &str) -> Option<&'static str> {
    let is_word = |part: &str| {
        let is_rest = |c: char| c == '_' || c.is_ascii_alphanumeric();
        part.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic()) && part.chars().all(is_rest)
    };
    let is_module = file
        .strip_suffix(".py")
        .is_some_and(|module| module.split('.').all(is_word));
    if !is_module {
        return Some(
            "is no Python module name with .py, such as accounts.py, or shop.prices.py for module shop.prices: rename it",
        );
    }
    (file.len() > CHARACTERS).then_some("has more than 100 characters: rename it")
}

/// Whether one file is a module where another one has a package of that name.
pub fn is_package_of(file: &str, other: &str) -> bool {
    stem(other)
        .strip_prefix(stem(file))
        .is_some_and(|rest| rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("a.py", true, false)]
    #[case("_a1.py", true, false)]
    #[case("shop.prices.py", true, true)]
    #[case("shop.__init__.py", true, true)]
    #[case("shop..py", false, true)]
    #[case(".py", false, false)]
    #[case("1a.py", false, false)]
    #[case("shop.1.py", false, true)]
    #[case("a-b.py", false, false)]
    #[case("a.txt", false, true)]
    fn names(#[case] file: &str, #[case] is_valid: bool, #[case] is_inside: bool) {
        assert_eq!(
            (wrong(file).is_none(), is_in_package(file)),
            (is_valid, is_inside)
        );
    }

    #[test]
    fn limits_hold() {
        assert_eq!(wrong(&format!("{}.py", "a".repeat(97))), None);
        assert!(wrong(&format!("{}.py", "a".repeat(98))).is_some());
    }

    #[rstest]
    #[case("shop.py", "shop.prices.py", true)]
    #[case("shop.prices.py", "shop.prices.eu.py", true)]
    #[case("shop.py", "shop.py", false)]
    #[case("shop.py", "shopping.py", false)]
    #[case("shop.prices.py", "shop.py", false)]
    fn a_module_and_a_package(#[case] file: &str, #[case] other: &str, #[case] expected: bool) {
        assert_eq!(is_package_of(file, other), expected);
    }
}
