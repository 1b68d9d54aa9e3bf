//! Who is asked when, and who hears of it.

use super::*;
use crate::api::conditions::Reason;

const MINUTE: Duration = Duration::from_mins(1);

fn wisher(name: &str) -> Wisher {
    ("n".into(), name.into())
}

fn place(path: &str) -> Place {
    Place {
        url: "https://git.example.com/a".into(),
        reference: "main".into(),
        path: path.into(),
    }
}

fn origin() -> Origin {
    Origin {
        url: "https://git.example.com/a".into(),
        reference: "main".into(),
        login: None,
        authority: None,
    }
}

fn ask(git: &Git, name: &str, path: &str) -> Answer {
    git.ask(&wisher(name), &place(path), Ok(origin()), MINUTE, None)
}

fn seen(commit: &str, paths: &[&str]) -> Seen {
    let files = |path: &&str| {
        let files = Files::from([("a.py".to_owned(), format!("# {commit}"))]);
        ((*path).to_owned(), Ok(files.into()))
    };
    (commit.into(), paths.iter().map(files).collect())
}

fn down() -> Trouble {
    Trouble::new(Reason::GitUnreachable, "down")
}

fn all(git: &Git, now: Instant) -> (usize, Option<Instant>) {
    let (due, next) = git.due(now, |_| true);
    (due.len(), next)
}

fn note(git: &Git, seen: Result<Seen, Trouble>) -> Vec<String> {
    let concerned = git.note(&origin(), seen, Timestamp::UNIX_EPOCH, Instant::now());
    let mut names: Vec<_> = concerned.into_iter().map(|(_, name)| name).collect();
    names.sort();
    names
}

#[test]
fn several_services_share_one_question() {
    let git = Git::default();
    assert_eq!(ask(&git, "a", "one"), Answer::default());
    ask(&git, "b", "two");
    let now = Instant::now();
    assert_eq!(all(&git, now).0, 1);
    // It is being asked.
    assert_eq!(all(&git, now + MINUTE), (0, None));
    assert_eq!(git.lacking(&origin(), "1"), ["one".into(), "two".into()].into());
    assert_eq!(note(&git, Ok(seen("1", &["one", "two"]))), ["a", "b"]);
    let answer = ask(&git, "a", "one");
    assert_eq!(
        (answer.last.unwrap().commit.as_str(), answer.trouble),
        ("1", None)
    );
    assert!(git.lacking(&origin(), "1").is_empty());
    let next = all(&git, now).1.unwrap();
    assert!(next > now + MINUTE / 2 && next < now + MINUTE * 2);
    // The same commit is no news.
    assert_eq!(all(&git, now + MINUTE * 2).0, 1);
    assert_eq!(note(&git, Ok(seen("1", &[]))), Vec::<String>::new());
}

#[test]
fn who_comes_while_it_is_asked_is_served_next() {
    let git = Git::default();
    ask(&git, "a", "one");
    all(&git, Instant::now());
    ask(&git, "late", "two");
    // That the server answers is news to both.
    assert_eq!(note(&git, Ok(seen("1", &["one"]))), ["a", "late"]);
    assert_eq!(ask(&git, "late", "two").last, None);
    assert_eq!(all(&git, Instant::now()).0, 1);
    assert_eq!(git.lacking(&origin(), "1"), ["two".into()].into());
    assert_eq!(note(&git, Ok(seen("1", &["two"]))), ["late"]);
}

#[test]
fn a_failure_leaves_what_is_known() {
    let git = Git::default();
    ask(&git, "a", "");
    all(&git, Instant::now());
    note(&git, Ok(seen("1", &[""])));
    all(&git, Instant::now() + MINUTE * 2);
    assert_eq!(note(&git, Err(down())), ["a"]);
    let answer = ask(&git, "a", "");
    assert_eq!(
        (answer.last.unwrap().commit.as_str(), answer.trouble),
        ("1", Some(down()))
    );
    // Told once.
    all(&git, Instant::now() + MINUTE);
    assert_eq!(note(&git, Err(down())), Vec::<String>::new());
    all(&git, Instant::now() + MINUTE);
    assert_eq!(note(&git, Ok(seen("1", &[]))), ["a"]);
    assert_eq!(ask(&git, "a", "").trouble, None);
}

#[test]
fn what_changes_in_a_spec_counts() {
    let git = Git::default();
    ask(&git, "a", "");
    all(&git, Instant::now());
    note(&git, Ok(seen("1", &[""])));
    // Other credentials: the files stay.
    let refused = Trouble::new(Reason::SecretNotFound, "gone");
    let answer = git.ask(&wisher("a"), &place(""), Err(refused.clone()), MINUTE, None);
    assert_eq!((answer.last.is_some(), answer.trouble), (true, Some(refused)));
    // Another folder: nothing is known of it.
    assert_eq!(ask(&git, "a", "other").last, None);
}

#[test]
fn what_nobody_wants_is_forgotten() {
    let git = Git::default();
    ask(&git, "a", "");
    assert_eq!(git.due(Instant::now(), |_| false), (vec![], None));
    assert!(git.known().origins.is_empty() && git.known().wishes.is_empty());
    assert_eq!(note(&git, Ok(seen("1", &[""]))), Vec::<String>::new());
}

#[test]
fn what_is_deployed_can_stand_for_an_answer() {
    let git = Git::default();
    let fetched = Fetched {
        commit: "1".into(),
        at: None,
        files: Ok(Files::new().into()),
    };
    assert!(!git.knows(&wisher("a"), &place("")));
    let answer = git.ask(
        &wisher("a"),
        &place(""),
        Ok(origin()),
        MINUTE,
        Some(fetched.clone()),
    );
    assert!(git.knows(&wisher("a"), &place("")) && !git.knows(&wisher("a"), &place("other")));
    assert_eq!(
        (answer.last.unwrap().commit.as_str(), answer.is_asked),
        ("1", false)
    );
    // Nothing has to be fetched, and that it was asked is news.
    all(&git, Instant::now());
    assert!(git.lacking(&origin(), "1").is_empty());
    assert_eq!(note(&git, Ok(seen("1", &[]))), ["a"]);
    assert!(ask(&git, "a", "").is_asked);
    // What was fetched counts more.
    all(&git, Instant::now() + MINUTE * 2);
    assert_eq!(note(&git, Ok(seen("2", &[""]))), ["a"]);
    let answer = git.ask(&wisher("a"), &place(""), Ok(origin()), MINUTE, Some(fetched));
    assert_eq!(answer.last.unwrap().commit, "2");
}

#[test]
fn pauses_grow_and_end() {
    let of = |failures| pause(failures, MINUTE).as_secs();
    assert_eq!([0, 1, 2, 3, 6, 7, 40].map(of), [60, 5, 10, 20, 160, 300, 300]);
    assert_eq!(pause(20, Duration::from_hours(1)).as_secs(), 3600);
    let found = jittered(MINUTE).as_secs_f64();
    assert!((54.0..=66.0).contains(&found), "{found}");
}
