//! Why a service is not sent to servers: what is wrong, where, and what to do.

use crate::api::conditions::Reason;
use crate::git::Trouble;
use crate::python::SyntaxError;

/// Why a service is not sent to servers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A file is not valid Python.
    #[error("{0}")]
    Syntax(#[from] SyntaxError),
    /// A ConfigMap of the source does not exist.
    #[error("ConfigMap {0} of spec.source does not exist: create it")]
    ConfigMapNotFound(String),
    /// A ConfigMap of the source has no file: more likely a mistake than the wish to remove all services.
    #[error("ConfigMap {0} of spec.source holds no file: add one")]
    EmptyConfigMap(String),
    /// A key of a ConfigMap cannot be a file.
    #[error("ConfigMap {config_map}: {key} {why}")]
    Source {
        /// The ConfigMap's name.
        config_map: String,
        /// Its key.
        key: String,
        /// What is wrong and what to do.
        why: &'static str,
    },
    /// Two ConfigMaps of the source have the same key.
    #[error("ConfigMap {config_map}: {key} is also a key of ConfigMap {other}: rename one of them")]
    KeyTwice {
        /// The ConfigMap's name.
        config_map: String,
        /// Its key.
        key: String,
        /// The other ConfigMap.
        other: String,
    },
    /// Git gives no files, or wrong ones.
    #[error("{0}")]
    Git(Trouble),
    /// Git never gave a commit yet, since the operator started.
    #[error("{0}")]
    GitUnfetched(Trouble),
    /// A git server is being asked.
    #[error("the commit is being fetched")]
    GitPending,
    /// More code than the cluster's shards hold.
    #[error("the services of the cluster would have {0} bytes of code, and {1} fit: make files smaller")]
    TooMuchCode(u64, u64),
    /// A file with more bytes than a shard can always take.
    #[error("{0} has more than 204800 bytes: divide it")]
    FileTooLarge(String),
    /// More files and services than the index holds.
    #[error("the services of the cluster would have {0} bytes of names, and {1} fit: join small files")]
    TooManyNames(usize, usize),
    /// A file defines a service under a name of Zato's own: it would replace that service.
    #[error(
        "{file} defines service {name}: names that start with zato. or pub.zato. are Zato's own; rename it"
    )]
    InternalName {
        /// The file's name.
        file: String,
        /// The name.
        name: String,
    },
    /// Another file defines a service of that name. Zato would take the one that it loads last, without a word.
    #[error(
        "{file} defines service {name}, which {other} of ZatoService {owner} defines, too: rename one of them"
    )]
    ServiceNameTaken {
        /// The file's name.
        file: String,
        /// The name.
        name: String,
        /// The other file.
        other: String,
        /// The object that has it.
        owner: String,
    },
    /// It breaks those who call the services, and its spec says that it must not.
    #[error(
        "the change breaks callers: {}: take it back, name the new version otherwise, or set \
         spec.openapi.breakingChangePolicy to Warn",
        .0.join("; ")
    )]
    BreakingChange(Vec<String>),
    /// A server could not load it.
    #[error("{error}; revision {good} takes its place: mend the code")]
    PutBack {
        /// Why.
        error: String,
        /// What servers have.
        good: String,
    },
    /// The revision of `spec.rollbackTo` is not there.
    #[error("revision {0} of spec.rollbackTo is not kept: take one of status.revisions")]
    RevisionNotKept(String),
    /// A file has a name that the agent needs.
    #[error("{0} is a file of the operator's own: rename the file")]
    ReservedFile(String),
    /// A module and a package have one name.
    #[error(
        "{file} cannot be beside {other} of ZatoService {owner}: one is a module where the other has a package; rename one of them"
    )]
    ModuleIsPackage {
        /// The file's name.
        file: String,
        /// The other file.
        other: String,
        /// The object that has it.
        owner: String,
    },
    /// A module in a package has a service.
    #[error(
        "{file} has service class {class}: Zato deploys no services that are in packages; move it to a file without dots in its name"
    )]
    ServiceInPackage {
        /// The file's name.
        file: String,
        /// The class.
        class: String,
    },
    /// Another service has a file of that name.
    #[error("{file} is also a file of ZatoService {other}: rename the file")]
    FileNameTaken {
        /// The file's name.
        file: String,
        /// The other service.
        other: String,
    },
}

impl Refusal {
    /// The reason that `Ready` gets.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Syntax(_) => Reason::SyntaxError,
            Self::ConfigMapNotFound(_) => Reason::ConfigMapNotFound,
            Self::Source { .. }
            | Self::KeyTwice { .. }
            | Self::EmptyConfigMap(_)
            | Self::ServiceInPackage { .. } => Reason::SourceInvalid,
            Self::Git(trouble) | Self::GitUnfetched(trouble) => trouble.reason,
            Self::GitPending => Reason::GitFetching,
            Self::TooMuchCode(..) | Self::TooManyNames(..) | Self::FileTooLarge(_) => Reason::TooMuchCode,
            Self::FileNameTaken { .. } | Self::ReservedFile(_) | Self::ModuleIsPackage { .. } => {
                Reason::FileNameTaken
            }
            Self::ServiceNameTaken { .. } => Reason::ServiceNameTaken,
            Self::InternalName { .. } => Reason::InternalName,
            Self::BreakingChange(_) => Reason::BreakingChange,
            Self::PutBack { .. } => Reason::LoadFailed,
            Self::RevisionNotKept(_) => Reason::RevisionNotKept,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(Refusal::ConfigMapNotFound("m".into()), Reason::ConfigMapNotFound)]
    #[case(
        Refusal::Source { config_map: "m".into(), key: "k".into(), why: "is no file" },
        Reason::SourceInvalid
    )]
    #[case(
        Refusal::KeyTwice { config_map: "m".into(), key: "k".into(), other: "n".into() },
        Reason::SourceInvalid
    )]
    #[case(Refusal::EmptyConfigMap("m".into()), Reason::SourceInvalid)]
    #[case(Refusal::Git(Trouble::new(Reason::GitRefused, "")), Reason::GitRefused)]
    #[case(Refusal::GitPending, Reason::GitFetching)]
    #[case(Refusal::TooMuchCode(2, 1), Reason::TooMuchCode)]
    #[case(Refusal::TooManyNames(2, 1), Reason::TooMuchCode)]
    #[case(Refusal::FileTooLarge("a.py".into()), Reason::TooMuchCode)]
    #[case(Refusal::FileNameTaken { file: "a.py".into(), other: "s".into() }, Reason::FileNameTaken)]
    #[case(Refusal::ReservedFile("a.py".into()), Reason::FileNameTaken)]
    #[case(
        Refusal::ModuleIsPackage { file: "a.py".into(), other: "a.b.py".into(), owner: "s".into() },
        Reason::FileNameTaken
    )]
    #[case(Refusal::ServiceInPackage { file: "a.b.py".into(), class: "C".into() }, Reason::SourceInvalid)]
    #[case(
        Refusal::ServiceNameTaken { file: "a.py".into(), name: "x".into(), other: "b.py".into(), owner: "s".into() },
        Reason::ServiceNameTaken
    )]
    #[case(Refusal::BreakingChange(vec![]), Reason::BreakingChange)]
    #[case(Refusal::PutBack { error: "e".into(), good: "g".into() }, Reason::LoadFailed)]
    #[case(Refusal::RevisionNotKept("r".into()), Reason::RevisionNotKept)]
    #[case(Refusal::InternalName { file: "a.py".into(), name: "zato.x".into() }, Reason::InternalName)]
    fn truth_table(#[case] refusal: Refusal, #[case] reason: Reason) {
        assert_eq!(refusal.reason(), reason);
    }
}
