//! Pure: checks the code of services, and which of two that want the same file has it.

use std::collections::BTreeMap;

use kube::ResourceExt;

use super::Inputs;
use crate::api::{ZatoCluster, ZatoService};
use crate::exchange::{Index, IndexedFile, IndexedService, Report, hash, revision};
use crate::python::{self, SyntaxError};

/// Why a service is not sent to servers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A file is not valid Python.
    #[error("{0}")]
    Syntax(#[from] SyntaxError),
    /// A file defines a service under a name of Zato's own: it would replace that service.
    #[error("{file} defines service {name}: names that start with zato. are Zato's own; rename it")]
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
    /// Another service has a file of that name.
    #[error("{file} is also a file of ZatoService {other}: rename the file")]
    FileNameTaken {
        /// The file's name.
        file: String,
        /// The other service.
        other: String,
    },
}

/// A service with the outcome of its check.
pub struct Checked<'a> {
    /// The service's name.
    pub name: String,
    /// Its entry for the index (without shards), or why it has none.
    pub result: Result<IndexedService, Refusal>,
    source: &'a ZatoService,
}

impl Checked<'_> {
    /// The text of a file.
    pub fn text_of(&self, file: &str) -> &str {
        self.source
            .spec
            .source
            .inline
            .get(file)
            .map_or("", |text| text.0.as_str())
    }
}

/// Checks all services of a cluster, the oldest first, against what its servers were told last.
///
/// A name that is deployed is its owner's until the servers are told otherwise, so that a version which is kept never
/// meets another one; a name that is not belongs to the older of two.
pub fn checked<'a>(services: &'a [ZatoService], deployed: &Index) -> Vec<Checked<'a>> {
    let mut taken = Taken::of(services, deployed);
    services
        .iter()
        .map(|source| Checked {
            name: source.name_any(),
            result: taken.take(source),
            source,
        })
        .collect()
}

/// Who has which name.
#[derive(Default)]
struct Taken {
    /// The owner of each file.
    files: BTreeMap<String, String>,
    /// The owner and the file of each service.
    services: BTreeMap<String, (String, String)>,
}

impl Taken {
    fn of(services: &[ZatoService], deployed: &Index) -> Self {
        let mut taken = Self::default();
        for (owner, version) in &deployed.services {
            if services.iter().any(|service| service.name_any() == *owner) {
                taken.reserve(owner, version);
            }
        }
        taken
    }

    fn reserve(&mut self, owner: &str, version: &IndexedService) {
        for (file, entry) in &version.files {
            self.files.entry(file.clone()).or_insert_with(|| owner.to_owned());
            for name in &entry.services {
                let place = || (owner.to_owned(), file.clone());
                self.services.entry(name.clone()).or_insert_with(place);
            }
        }
    }

    fn take(&mut self, service: &ZatoService) -> Result<IndexedService, Refusal> {
        let owner = service.name_any();
        for file in service.spec.source.inline.keys() {
            if let Some(other) = self.files.get(file).filter(|other| **other != owner) {
                return Err(Refusal::FileNameTaken {
                    file: file.clone(),
                    other: other.clone(),
                });
            }
        }
        let version = indexed(texts(service))?;
        let mut own: BTreeMap<&str, &str> = BTreeMap::new();
        for (file, entry) in &version.files {
            for name in &entry.services {
                self.check_name(&owner, file, name, own.insert(name, file))?;
            }
        }
        self.reserve(&owner, &version);
        Ok(version)
    }

    /// `before`: the file of the same service that defines the name already.
    fn check_name(&self, owner: &str, file: &str, name: &str, before: Option<&str>) -> Result<(), Refusal> {
        let (file, name) = (file.to_owned(), name.to_owned());
        if name.starts_with("zato.") {
            return Err(Refusal::InternalName { file, name });
        }
        let other = match (before, self.services.get(&name)) {
            (Some(other), _) => (owner.to_owned(), other.to_owned()),
            (None, Some(other)) if other.0 != owner => other.clone(),
            _ => return Ok(()),
        };
        Err(Refusal::ServiceNameTaken {
            file,
            name,
            other: other.1,
            owner: other.0,
        })
    }
}

fn texts(service: &ZatoService) -> impl Iterator<Item = (&str, &str)> + Clone {
    let files = &service.spec.source.inline;
    files.iter().map(|(name, text)| (name.as_str(), text.0.as_str()))
}

/// The entry of a set of files, without shards.
pub fn indexed<'a>(
    files: impl Iterator<Item = (&'a str, &'a str)> + Clone,
) -> Result<IndexedService, SyntaxError> {
    let mut entries = BTreeMap::new();
    for (name, text) in files.clone() {
        let entry = IndexedFile {
            sha256: hash(text.as_bytes()),
            shard: String::new(),
            services: python::check(name, text)?,
        };
        entries.insert(name.to_owned(), entry);
    }
    Ok(IndexedService {
        revision: revision(files),
        files: entries,
    })
}

/// What is known of one service.
#[derive(Debug)]
pub struct Plan {
    /// The revision of the spec.
    pub revision: String,
    /// Why it is not sent, if it is not.
    pub refusal: Option<Refusal>,
    /// The state of its cluster.
    pub cluster: ClusterState,
    /// What each server reports.
    pub reports: Vec<(String, Option<Report>)>,
}

/// What a service must know of its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterState {
    /// It does not exist.
    Missing,
    /// Nothing is done for it.
    Paused,
    /// No server may run.
    Stopped,
    /// It is as usual.
    Active,
}

impl ClusterState {
    fn of(cluster: Option<&ZatoCluster>) -> Self {
        match cluster.map(|cluster| &cluster.spec) {
            None => Self::Missing,
            Some(spec) if spec.paused => Self::Paused,
            Some(spec) if spec.stopped => Self::Stopped,
            Some(_) => Self::Active,
        }
    }
}

/// Plans one service.
pub fn plan(service: &ZatoService, inputs: Inputs) -> Plan {
    let name = service.name_any();
    let mut siblings = inputs.siblings;
    // The caches may be behind the object that is reconciled.
    match siblings.iter_mut().find(|sibling| sibling.name_any() == name) {
        Some(sibling) => *sibling = service.clone(),
        None => siblings.push(service.clone()),
    }
    let own = checked(&siblings, &inputs.deployed)
        .into_iter()
        .find(|checked| checked.name == name);
    Plan {
        revision: revision(texts(service)),
        refusal: own.and_then(|checked| checked.result.err()),
        cluster: ClusterState::of(inputs.cluster.as_ref()),
        reports: inputs.reports,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn service(name: &str, files: &[(&str, &str)]) -> ZatoService {
        let inline: BTreeMap<_, _> = files.iter().copied().collect();
        serde_json::from_value(serde_json::json!({
            "apiVersion": "zato.io/v1alpha1", "kind": "ZatoService",
            "metadata": {"name": name, "namespace": "default", "uid": name, "generation": 1},
            "spec": {"clusterRef": {"name": "demo"}, "source": {"inline": inline}},
        }))
        .unwrap()
    }

    #[test]
    fn the_older_of_two_services_keeps_the_file() {
        let services = [
            service("old", &[("a.py", "x = 1\n")]),
            service("new", &[("a.py", "x = 2\n"), ("b.py", "")]),
        ];
        let all = checked(&services, &Index::default());
        assert!(all[0].result.is_ok());
        let refusal = all[1].result.clone().unwrap_err();
        assert_eq!(
            refusal,
            Refusal::FileNameTaken {
                file: "a.py".into(),
                other: "old".into()
            }
        );
    }

    fn named(name: &str) -> String {
        format!("class A(Service):\n    name = '{name}'\n")
    }

    #[test]
    fn the_older_of_two_services_keeps_the_service_name() {
        let (mine, other) = (named("api.x"), named("api.y"));
        let services = [
            service("old", &[("a.py", &mine)]),
            service("new", &[("b.py", &other), ("c.py", &mine)]),
        ];
        let all = checked(&services, &Index::default());
        assert!(all[0].result.is_ok());
        let refusal = all[1].result.clone().unwrap_err().to_string();
        assert_eq!(
            refusal,
            "c.py defines service api.x, which a.py of ZatoService old defines, too: rename one of them"
        );
        let twice = [service("s", &[("a.py", &mine), ("b.py", &mine)])];
        assert!(matches!(
            checked(&twice, &Index::default())[0].result,
            Err(Refusal::ServiceNameTaken { .. })
        ));
    }

    fn deployed(services: &[ZatoService]) -> Index {
        let all = checked(services, &Index::default());
        Index::sealed(all.into_iter().map(|c| (c.name, c.result.unwrap())).collect())
    }

    /// Else a kept version and a new one would meet under one name, and no server could have both.
    #[test]
    fn what_is_deployed_keeps_its_names_until_it_is_replaced() {
        let text = named("api.x");
        let before = deployed(&[service("old", &[("a.py", &text)])]);
        let renamed_and_broken = service("old", &[("b.py", "(")]);
        for (file, text) in [("a.py", "x = 1\n"), ("c.py", text.as_str())] {
            let services = [renamed_and_broken.clone(), service("new", &[(file, text)])];
            assert!(checked(&services, &before)[1].result.is_err(), "{file}");
        }
        // An older service does not push a deployed one out either.
        let services = [
            service("older", &[("z.py", &text)]),
            service("old", &[("a.py", &text)]),
        ];
        let all = checked(&services, &before);
        assert!(all[0].result.is_err() && all[1].result.is_ok());
        // Once its owner has gone, or has another version deployed, the name is free.
        let new = [service("new", &[("a.py", &text)])];
        assert!(checked(&new, &before)[0].result.is_ok());
        let other = named("api.y");
        let moved = [
            service("old", &[("b.py", &other)]),
            service("new", &[("a.py", &text)]),
        ];
        assert!(checked(&moved, &before)[1].result.is_err());
        assert!(checked(&moved, &deployed(&moved[..1]))[1].result.is_ok());
    }

    #[test]
    fn a_name_of_zatos_own_is_refused() {
        let text = named("zato.ping");
        let services = [service("s", &[("a.py", &text)])];
        assert!(matches!(
            checked(&services, &Index::default())[0].result,
            Err(Refusal::InternalName { .. })
        ));
    }

    #[test]
    fn one_bad_file_refuses_the_whole_service() {
        let services = [service("s", &[("a.py", "x = 1\n"), ("b.py", "def (:\n")])];
        assert!(matches!(
            checked(&services, &Index::default())[0].result,
            Err(Refusal::Syntax(_))
        ));
    }

    #[test]
    fn the_object_at_hand_counts_and_not_an_older_copy_in_the_cache() {
        let inputs = Inputs {
            cluster: None,
            siblings: vec![service("s", &[("a.py", "(")])],
            deployed: Index::default(),
            reports: vec![],
        };
        let plan = plan(&service("s", &[("a.py", "x = 1\n")]), inputs);
        assert_eq!(plan.refusal, None);
    }
}
