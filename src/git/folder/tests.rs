//! What is taken of a commit, and what is refused.

use super::super::pack::tests::{Wanted, id, pack_of};
use super::*;
use rstest::rstest;

/// A folder as git has it.
fn tree(items: &[(&str, &str, ObjectId)]) -> Vec<u8> {
    let mut bytes = vec![];
    for (mode, name, id) in items {
        bytes.extend(format!("{mode} {name}\0").bytes());
        bytes.extend(id.0);
    }
    bytes
}

fn blob(text: &[u8]) -> ObjectId {
    id(Kind::Blob, text)
}

/// A commit whose root has these items, and a folder "services/accounts" with a file.
fn of(path: &str, items: &[(&str, &str, ObjectId)], blobs: &[&[u8]]) -> Result<Files, Wrong> {
    let inner = tree(&[("100644", "a.py", blob(b"x = 1\n"))]);
    let middle = tree(&[("40000", "accounts", id(Kind::Tree, &inner))]);
    let mut items = items.to_vec();
    items.push(("40000", "services", id(Kind::Tree, &middle)));
    let root = tree(&items);
    let commit = format!("tree {}\nauthor a\n\nmessage", id(Kind::Tree, &root));
    let mut entries = vec![
        Wanted::Whole(1, commit.as_bytes()),
        Wanted::Whole(2, &root),
        Wanted::Whole(2, &middle),
        Wanted::Whole(2, &inner),
        Wanted::Whole(3, b"x = 1\n"),
    ];
    entries.extend(blobs.iter().map(|blob| Wanted::Whole(3, blob)));
    let mut pack = Pack::read(pack_of(&entries)).unwrap();
    files(&mut pack, id(Kind::Commit, commit.as_bytes()), path)
}

#[test]
fn the_python_files_of_one_folder_are_taken() {
    let items = [
        ("100644", "README.md", blob(b"text")),
        ("100755", "b.py", blob(b"y = 2\n")),
        ("40000", "folder.py", ObjectId([1; 20])),
        ("120000", "link", ObjectId([2; 20])),
        ("160000", "module", ObjectId([3; 20])),
    ];
    let found = of("", &items, &[b"y = 2\n"]).unwrap();
    assert_eq!(found, [("b.py".into(), "y = 2\n".into())].into());
    let found = of("services/accounts", &items, &[]).unwrap();
    assert_eq!(found, [("a.py".into(), "x = 1\n".into())].into());
}

#[rstest]
#[case("", &[], "the root has no file *.py: add one, or correct the path")]
#[case("services", &[], "path services has no file *.py")]
#[case("none", &[], "path none does not exist")]
#[case("services/none", &[], "path services/none does not exist")]
#[case("b.py", &[("100644", "b.py", [1; 20])], "path b.py is a file")]
#[case("link/x", &[("120000", "link", [1; 20])], "path link/x goes through a symbolic link")]
#[case("module", &[("160000", "module", [1; 20])], "path module leads into another repository")]
#[case("", &[("120000", "a.py", [1; 20])], "a.py is a symbolic link")]
#[case("", &[("160000", "a.py", [1; 20])], "a.py is a repository of its own")]
#[case("", &[("100644", "my-module.py", [1; 20])], "my-module.py is no Python module name")]
#[case("", &[("100644", "a\nb.py", [1; 20])], "a\\nb.py is no Python module name")]
// One that the server left out, because it is too large.
#[case("", &[("100644", "a.py", [1; 20])], "a.py has more than 204800 bytes: divide it")]
fn what_is_wrong_is_told(#[case] path: &str, #[case] items: &[(&str, &str, [u8; 20])], #[case] wanted: &str) {
    let items: Vec<_> = items
        .iter()
        .map(|(mode, name, id)| (*mode, *name, ObjectId(*id)))
        .collect();
    let told = of(path, &items, &[]).unwrap_err().to_string();
    assert!(told.starts_with(wanted), "{told}");
}

/// Also one that the path only leads through.
#[test]
fn a_folder_on_the_way_has_a_limit() {
    let items = vec![("100644", "a name of a file", ObjectId([7; 20])); 13_000];
    let told = of("services/accounts", &items, &[]).unwrap_err().to_string();
    assert_eq!(told, "the root has too many files in one folder: divide them");
}

/// A folder with `__init__.py` is a package, and so are those in it; other folders are not looked into.
#[test]
fn packages_are_taken_with_their_names() {
    let deep = tree(&[
        ("100644", "__init__.py", blob(b"")),
        ("100644", "vat.py", blob(b"z = 3\n")),
    ]);
    let none = tree(&[("100644", "other.py", blob(b"z = 3\n"))]);
    let shop = tree(&[
        ("100644", "__init__.py", blob(b"")),
        ("40000", "eu", id(Kind::Tree, &deep)),
        ("40000", "none", id(Kind::Tree, &none)),
        ("100644", "prices.py", blob(b"y = 2\n")),
    ]);
    let root = |folder: &str, file: &str| {
        tree(&[
            ("100644", file, blob(b"y = 2\n")),
            ("40000", "docs", id(Kind::Tree, &none)),
            ("40000", folder, id(Kind::Tree, &shop)),
        ])
    };
    let taken = |root: &[u8]| {
        let commit = format!("tree {}\nauthor a\n\nmessage", id(Kind::Tree, root));
        let trees = [root, &shop, &deep, &none].map(|tree| Wanted::Whole(2, tree));
        let blobs: [&[u8]; 3] = [b"", b"y = 2\n", b"z = 3\n"];
        let mut entries = vec![Wanted::Whole(1, commit.as_bytes())];
        entries.extend(trees);
        entries.extend(blobs.map(|blob| Wanted::Whole(3, blob)));
        let mut pack = Pack::read(pack_of(&entries)).unwrap();
        files(&mut pack, id(Kind::Commit, commit.as_bytes()), "")
    };
    let found = taken(&root("shop", "a.py")).unwrap();
    let names: Vec<_> = found.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "a.py",
            "shop.__init__.py",
            "shop.eu.__init__.py",
            "shop.eu.vat.py",
            "shop.prices.py"
        ]
    );
    assert_eq!(found["shop.eu.vat.py"], "z = 3\n");
    let told = taken(&root("my-shop", "a.py")).unwrap_err().to_string();
    assert!(
        told.starts_with("my-shop: my-shop.py is no Python module name"),
        "{told}"
    );
    let told = taken(&root("shop", "shop.prices.py")).unwrap_err().to_string();
    assert!(told.contains("is also there as a file with dots"), "{told}");
}

#[test]
fn files_have_limits() {
    let fits = vec![b'#'; 204_800];
    let items = [("100644", "a.py", blob(&fits))];
    assert_eq!(of("", &items, &[&fits]).unwrap()["a.py"].len(), 204_800);
    let large = vec![b'#'; 204_801];
    let told = of("", &[("100644", "a.py", blob(&large))], &[&large]).unwrap_err();
    assert_eq!(told.to_string(), "a.py has more than 204800 bytes: divide it");
    let names: Vec<String> = (0..31).map(|number| format!("a{number}.py")).collect();
    let items: Vec<_> = names
        .iter()
        .map(|name| ("100644", name.as_str(), blob(&fits)))
        .collect();
    let told = of("", &items, &[&fits]).unwrap_err();
    assert!(
        told.to_string()
            .ends_with("is more code than a cluster takes: divide it among folders and ZatoServices"),
        "{told}"
    );
    let binary = [0xff, 0xfe];
    let told = of("", &[("100644", "a.py", blob(&binary))], &[&binary]).unwrap_err();
    assert_eq!(told.to_string(), "a.py is no text in UTF-8: save it as such");
}

#[test]
fn only_commits_are_read() {
    let mut pack = Pack::read(pack_of(&[Wanted::Whole(3, b"x"), Wanted::Whole(1, b"nonsense")])).unwrap();
    for (id, words) in [
        (blob(b"x"), "it is no commit"),
        (ObjectId([9; 20]), "it is no commit"),
        (id(Kind::Commit, b"nonsense"), "what the server sent is damaged"),
    ] {
        let told = files(&mut pack, id, "").unwrap_err().to_string();
        assert!(told.starts_with(words), "{told}");
    }
    for damaged in [&b"100644 a.py\0short"[..], b"\0 x"] {
        let found: Vec<_> = items(damaged).collect();
        assert!(matches!(found.as_slice(), [Err(Broken::Damaged)]), "{found:?}");
    }
}

/// Packages in one another, each with as many more folders as told, the deepest one last; and the commit.
fn nest(levels: usize, beside: usize) -> (Vec<Vec<u8>>, String) {
    let names: Vec<String> = (0..beside).map(|number| format!("d{number:05}")).collect();
    let none = ObjectId([7; 20]);
    let mut trees: Vec<Vec<u8>> = vec![];
    for _ in 0..levels {
        let mut items = vec![("100644", "__init__.py", blob(b""))];
        items.extend(trees.last().map(|tree| ("40000", "a", id(Kind::Tree, tree))));
        items.extend(names.iter().map(|name| ("40000", name.as_str(), none)));
        trees.push(tree(&items));
    }
    let root = tree(&[("40000", "a", id(Kind::Tree, trees.last().unwrap()))]);
    let commit = format!("tree {}\nauthor a\n\nmessage", id(Kind::Tree, &root));
    trees.push(root);
    (trees, commit)
}

#[rstest]
#[case(20, 200, None)]
// More names than are held, though each folder has few of them.
#[case(20, 300, Some("has too many folders and files *.py, more than 5,000"))]
#[case(1, 20_000, Some("a has too many files in one folder: divide them"))]
fn folders_in_one_another_have_limits(
    #[case] levels: usize,
    #[case] beside: usize,
    #[case] wanted: Option<&str>,
) {
    let (trees, commit) = nest(levels, beside);
    let mut entries = vec![Wanted::Whole(1, commit.as_bytes()), Wanted::Whole(3, b"")];
    entries.extend(trees.iter().map(|tree| Wanted::Whole(2, tree)));
    let mut pack = Pack::read(pack_of(&entries)).unwrap();
    let found = files(&mut pack, id(Kind::Commit, commit.as_bytes()), "");
    match (found, wanted) {
        (Ok(files), None) => assert_eq!(files.len(), levels),
        (Err(told), Some(words)) => assert!(told.to_string().contains(words), "{told}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn names_have_a_limit() {
    let long = "d".repeat(256);
    let told = of("", &[("40000", &long, ObjectId([7; 20]))], &[]).unwrap_err();
    assert_eq!(
        told.to_string(),
        "the root has a name of more than 255 bytes: shorten it"
    );
}

/// Many names of one large folder, which is no package: each look at it is counted.
#[test]
fn one_folder_under_many_names_has_a_limit() {
    let none = ObjectId([7; 20]);
    let names: Vec<String> = (0..1100).map(|number| format!("d{number}")).collect();
    let long = "f".repeat(2000);
    let large = tree(&vec![("100644", long.as_str(), none); 1000]);
    let same = id(Kind::Tree, &large);
    let items: Vec<_> = names.iter().map(|name| ("40000", name.as_str(), same)).collect();
    let root = tree(&items);
    let commit = format!("tree {}\nauthor a\n\nmessage", id(Kind::Tree, &root));
    let mut pack = Pack::read(pack_of(&[
        Wanted::Whole(1, commit.as_bytes()),
        Wanted::Whole(2, &root),
        Wanted::Whole(2, &large),
    ]))
    .unwrap();
    let told = files(&mut pack, id(Kind::Commit, commit.as_bytes()), "").unwrap_err();
    assert!(
        told.to_string()
            .starts_with("it has more than 50,000 files and folders, more than 1 GiB"),
        "{told}"
    );
}
