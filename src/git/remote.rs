//! One repository on a server, in version 2 of git's protocol: what a branch or tag is, and one commit without its history.

use std::fs::File;

use tokio::io::AsyncWriteExt;

use super::http::{CHECK, Http};
use super::packet::{DELIMITER, FLUSH, Incoming, Unusable, line, texts};
use super::{FILE, ObjectId, Origin, PACK, Trouble};
use crate::api::conditions::Reason;

/// What an answer may have that says what a server can do.
const CAPABILITIES: usize = 64 << 10;
/// What one may have that says what branches and tags are.
const ANSWER: usize = 1 << 20;

/// A repository that answers.
#[derive(Debug)]
pub struct Remote {
    http: Http,
    origin: Origin,
    /// Where the server has it.
    base: String,
    can: Can,
}

/// What a server can do, of what matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Can {
    /// Leave out what is large.
    filter: bool,
    /// Say that a branch has no commit yet.
    unborn: bool,
    /// Read by what commits are named.
    format: bool,
}

/// What a fetch brought.
#[derive(Debug)]
pub enum Fetched {
    /// The pack, in a file without a name.
    Pack(File),
    /// More than the limit.
    TooLarge,
}

impl Remote {
    /// Asks the server what it can do.
    pub async fn open(origin: &Origin) -> Result<Self, Trouble> {
        let http = Http::new(origin)?;
        let url = origin.url.trim_end_matches('/');
        let answer = http
            .get(&format!("{url}/info/refs?service=git-upload-pack"))
            .await?;
        // The server may have led to another path of itself.
        let base = answer
            .url
            .rsplit_once("/info/refs")
            .map(|(base, _)| base.to_owned());
        let answer = http.bytes(answer, CAPABILITIES).await?;
        let refused = |why: String| http.trouble(Reason::GitRefused, &why);
        let no_git = || refused(format!("does not answer as one of git does: {CHECK}"));
        let can = Can::of(&texts(&answer).map_err(|_| no_git())?).map_err(refused)?;
        Ok(Self {
            base: base.ok_or_else(no_git)?,
            origin: origin.clone(),
            can,
            http,
        })
    }

    /// The commit that a branch, a tag or a full name is now.
    pub async fn commit(&self) -> Result<ObjectId, Trouble> {
        let reference = &self.origin.reference;
        if let Some(commit) = ObjectId::parse(reference) {
            return Ok(commit);
        }
        let names = names(reference);
        let prefixes = names.iter().map(|name| line(&format!("ref-prefix {name}\n")));
        let mut wanted = line("peel\n");
        if self.can.unborn {
            wanted += &line("unborn\n");
        }
        wanted.extend(prefixes);
        let body = self.request("ls-refs", &wanted);
        let answer = self.http.post(&self.address(), body).await?;
        let answer = self.http.bytes(answer, ANSWER).await?;
        let lines = texts(&answer).map_err(|error| self.unusable(error))?;
        choose(&lines, &names).map_err(|why| {
            let message = format!("{} of {} {why}", named(reference), self.origin.url);
            Trouble::new(Reason::GitRefNotFound, message)
        })
    }

    /// A commit with its files, and nothing of before.
    pub async fn fetch(&self, commit: ObjectId) -> Result<Fetched, Trouble> {
        let mut wanted = line("no-progress\n") + &line("ofs-delta\n") + &line("deepen 1\n");
        if self.can.filter {
            // What is larger is never taken.
            wanted += &line(&format!("filter blob:limit={}\n", FILE + 1));
        }
        wanted += &(line(&format!("want {commit}\n")) + &line("done\n"));
        let body = self.request("fetch", &wanted);
        let mut answer = self.http.post(&self.address(), body).await?;
        let folder = |error: std::io::Error| {
            let message = format!("the operator has no room for a pack in its /tmp: {error}");
            Trouble::new(Reason::GitUnreachable, message)
        };
        let mut file = tokio::fs::File::from_std(tempfile::tempfile().map_err(folder)?);
        let (mut incoming, mut received) = (Incoming::default(), 0);
        while let Some(piece) = self.http.piece(&mut answer).await? {
            received += piece.len() as u64;
            if received > PACK {
                return Ok(Fetched::TooLarge);
            }
            let pack = incoming.take(&piece).map_err(|error| self.unusable(error))?;
            file.write_all(&pack).await.map_err(folder)?;
        }
        if !incoming.is_complete {
            let why = "broke the connection off: it is asked again";
            return Err(self.http.trouble(Reason::GitUnreachable, why));
        }
        file.flush().await.map_err(folder)?;
        Ok(Fetched::Pack(file.into_std().await))
    }

    fn address(&self) -> String {
        format!("{}/git-upload-pack", self.base)
    }

    fn request(&self, command: &str, arguments: &str) -> String {
        let mut text = line(&format!("command={command}\n"));
        if self.can.format {
            text += &line("object-format=sha1\n");
        }
        text + DELIMITER + arguments + FLUSH
    }

    fn unusable(&self, error: Unusable) -> Trouble {
        let reference = &self.origin.reference;
        match error {
            Unusable::NoSuchCommit => {
                let why = "is not there, or the server gives only what a branch or tag is: name one of them, or check it";
                let message = format!("{} of {} {why}", named(reference), self.origin.url);
                Trouble::new(Reason::GitRefNotFound, message)
            }
            Unusable::Garbled => {
                let why = format!("does not answer as one of git does: {CHECK}");
                self.http.trouble(Reason::GitRefused, &why)
            }
            Unusable::Error => {
                let why = format!(
                    "says that it cannot give {}: its log has the cause",
                    self.origin.url
                );
                self.http.trouble(Reason::GitRefused, &why)
            }
        }
    }
}

impl Can {
    /// From the lines in which a server tells it; or why it is of no use.
    fn of(lines: &[&str]) -> Result<Self, String> {
        let Some((&"version 2", capabilities)) = lines.split_first() else {
            return Err("does not speak version 2 of git's protocol, which git has since 2018: bring it up to date, or check the url".into());
        };
        let format = value(capabilities, "object-format");
        if format.is_some_and(|format| format != "sha1") {
            let why = "has a repository whose commits are not named by SHA-1: only those are read";
            return Err(why.into());
        }
        let has = |name, wanted| {
            value(capabilities, name).is_some_and(|can| can.split(' ').any(|one| one == wanted))
        };
        Ok(Self {
            filter: has("fetch", "filter"),
            unborn: has("ls-refs", "unborn"),
            format: format.is_some(),
        })
    }
}

/// The value of a capability; empty: it has none.
fn value<'a>(capabilities: &[&'a str], name: &str) -> Option<&'a str> {
    capabilities.iter().find_map(|one| {
        let rest = one.strip_prefix(name)?;
        if rest.is_empty() {
            Some("")
        } else {
            rest.strip_prefix('=')
        }
    })
}

/// The full names that a reference may have.
fn names(reference: &str) -> Vec<String> {
    if reference == "HEAD" || reference.starts_with("refs/") {
        return vec![reference.to_owned()];
    }
    vec![
        format!("refs/heads/{reference}"),
        format!("refs/tags/{reference}"),
    ]
}

/// A reference as a person says it.
fn named(reference: &str) -> String {
    match reference {
        "HEAD" => "the default branch".into(),
        _ if ObjectId::parse(reference).is_some() => format!("commit {reference}"),
        _ => format!("ref {reference}"),
    }
}

const EMPTY: &str = "has no commit yet: push one";

/// The commit of the one name that the server knows.
fn choose(lines: &[&str], names: &[String]) -> Result<ObjectId, String> {
    let mut found = vec![];
    for line in lines {
        let mut words = line.split(' ');
        let (Some(id), Some(name)) = (words.next(), words.next()) else {
            continue;
        };
        // The server also tells what only begins with the name.
        if names.iter().any(|wanted| wanted == name) {
            // A tag with a message is an object of its own, and leads to the commit.
            let peeled = words.find_map(|word| word.strip_prefix("peeled:"));
            found.push(ObjectId::parse(peeled.unwrap_or(id)));
        }
    }
    match found.as_slice() {
        [Some(id)] => Ok(*id),
        // Servers of before say nothing of a branch without a commit.
        [] if names == ["HEAD"] => Err(EMPTY.into()),
        [] => Err("is no branch or tag of it: check the name".into()),
        [None] => Err(EMPTY.into()),
        _ => Err(format!("is a branch and a tag: write {}", names.join(" or "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const ONE: &str = "1111111111111111111111111111111111111111";
    const TWO: &str = "2222222222222222222222222222222222222222";

    #[rstest]
    #[case("main", &[format!("{ONE} refs/heads/main"), format!("{TWO} refs/heads/main-2")], Ok(ONE))]
    #[case("v1", &[format!("{ONE} refs/tags/v1 peeled:{TWO}")], Ok(TWO))]
    #[case("v1", &[format!("{ONE} refs/tags/v1"), format!("{TWO} refs/heads/v1")], Err("is a branch and a tag: write refs/heads/v1 or refs/tags/v1"))]
    #[case("HEAD", &[format!("{ONE} HEAD symref-target:refs/heads/main")], Ok(ONE))]
    #[case("HEAD", &[], Err("has no commit yet: push one"))]
    #[case("HEAD", &["unborn HEAD symref-target:refs/heads/main".to_owned()], Err("has no commit yet"))]
    #[case("refs/heads/main", &[format!("{ONE} refs/heads/main")], Ok(ONE))]
    #[case("none", &[], Err("is no branch or tag of it"))]
    #[case("main", &["nonsense".to_owned()], Err("is no branch or tag of it"))]
    fn one_commit_is_chosen(
        #[case] reference: &str,
        #[case] lines: &[String],
        #[case] wanted: Result<&str, &str>,
    ) {
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        match (choose(&lines, &names(reference)), wanted) {
            (Ok(found), Ok(wanted)) => assert_eq!(found.to_string(), wanted),
            (Err(told), Err(words)) => assert!(told.contains(words), "{told}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn capabilities_have_values() {
        let all = ["fetch=shallow filter", "server-option"];
        assert_eq!(value(&all, "fetch"), Some("shallow filter"));
        assert_eq!(value(&all, "server-option"), Some(""));
        assert_eq!((value(&all, "fet"), value(&all, "ls-refs")), (None, None));
    }

    #[rstest]
    #[case(&["version 2", "agent=git/2.40", "fetch=shallow filter", "ls-refs=unborn", "object-format=sha1"], Ok((true, true, true)))]
    #[case(&["version 2", "fetch=shallow filters", "ls-refs"], Ok((false, false, false)))]
    #[case(&["version 2"], Ok((false, false, false)))]
    #[case(&["version 2", "object-format=sha256"], Err("commits are not named by SHA-1"))]
    #[case(&["version 1"], Err("does not speak version 2"))]
    #[case(&[], Err("does not speak version 2"))]
    fn what_a_server_can_do_is_read(
        #[case] lines: &[&str],
        #[case] wanted: Result<(bool, bool, bool), &str>,
    ) {
        match (Can::of(lines), wanted) {
            (Ok(can), Ok(wanted)) => assert_eq!((can.filter, can.unborn, can.format), wanted),
            (Err(told), Err(words)) => assert!(told.contains(words), "{told}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn references_are_told_as_people_say_them() {
        assert_eq!(named("HEAD"), "the default branch");
        assert_eq!(named("main"), "ref main");
        assert_eq!(named(ONE), format!("commit {ONE}"));
    }
}
