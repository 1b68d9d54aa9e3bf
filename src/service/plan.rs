//! Pure: checks the code of services, and which of two that want the same file has it.

use std::collections::BTreeMap;

use kube::ResourceExt;

use super::Inputs;
use crate::api::ZatoService;
use crate::exchange::{IndexedFile, IndexedService, Report, hash, revision};
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
    /// An older service has a file of that name.
    #[error("{file} is also a file of ZatoService {other}, which is older: rename the file")]
    FileNameTaken {
        /// The file's name.
        file: String,
        /// The older service.
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

/// Checks all services of a cluster, the oldest first: of two that want the same name, the older one has it.
pub fn checked(services: &[ZatoService]) -> Vec<Checked<'_>> {
    let mut taken = Taken::default();
    services
        .iter()
        .map(|source| Checked {
            name: source.name_any(),
            result: taken.take(source),
            source,
        })
        .collect()
}

/// What the services before this one have.
#[derive(Default)]
struct Taken<'a> {
    /// The owner of each file.
    files: BTreeMap<&'a str, String>,
    /// The owner and the file of each service.
    services: BTreeMap<String, (String, &'a str)>,
}

impl<'a> Taken<'a> {
    fn take(&mut self, service: &'a ZatoService) -> Result<IndexedService, Refusal> {
        let owner = service.name_any();
        let files = &service.spec.source.inline;
        if let Some((file, other)) = files
            .keys()
            .find_map(|file| Some((file, self.files.get(file.as_str())?)))
        {
            return Err(Refusal::FileNameTaken {
                file: file.clone(),
                other: other.clone(),
            });
        }
        // Also when it is refused below: its previous version may be in use.
        self.files
            .extend(files.keys().map(|file| (file.as_str(), owner.clone())));
        let indexed = indexed(service)?;
        let mut own = BTreeMap::new();
        for file in files.keys() {
            for name in indexed
                .files
                .get(file)
                .into_iter()
                .flat_map(|entry| &entry.services)
            {
                self.check_name(file, name, &own)?;
                own.insert(name.clone(), (owner.clone(), file.as_str()));
            }
        }
        self.services.extend(own);
        Ok(indexed)
    }

    fn check_name(
        &self,
        file: &str,
        name: &str,
        own: &BTreeMap<String, (String, &str)>,
    ) -> Result<(), Refusal> {
        let (file, name) = (file.to_owned(), name.to_owned());
        if name.starts_with("zato.") {
            return Err(Refusal::InternalName { file, name });
        }
        match self.services.get(&name).or_else(|| own.get(&name)) {
            Some((owner, other)) => Err(Refusal::ServiceNameTaken {
                file,
                name,
                other: (*other).to_owned(),
                owner: owner.clone(),
            }),
            None => Ok(()),
        }
    }
}

fn indexed(service: &ZatoService) -> Result<IndexedService, SyntaxError> {
    let mut files = BTreeMap::new();
    for (name, text) in &service.spec.source.inline {
        let services = python::check(name, &text.0)?;
        files.insert(
            name.clone(),
            IndexedFile {
                sha256: hash(text.0.as_bytes()),
                shard: String::new(),
                services,
            },
        );
    }
    Ok(IndexedService {
        revision: revision_of(service),
        files,
    })
}

fn revision_of(service: &ZatoService) -> String {
    revision(
        service
            .spec
            .source
            .inline
            .iter()
            .map(|(name, text)| (name.as_str(), text.0.as_str())),
    )
}

/// What is known of one service.
#[derive(Debug)]
pub struct Plan {
    /// The revision of the spec.
    pub revision: String,
    /// Why it is not sent, if it is not.
    pub refusal: Option<Refusal>,
    /// Whether its cluster exists.
    pub has_cluster: bool,
    /// What each server reports.
    pub reports: Vec<(String, Option<Report>)>,
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
    let own = checked(&siblings)
        .into_iter()
        .find(|checked| checked.name == name);
    Plan {
        revision: revision_of(service),
        refusal: own.and_then(|checked| checked.result.err()),
        has_cluster: inputs.cluster.is_some(),
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
        let all = checked(&services);
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
        let all = checked(&services);
        assert!(all[0].result.is_ok());
        let refusal = all[1].result.clone().unwrap_err().to_string();
        assert_eq!(
            refusal,
            "c.py defines service api.x, which a.py of ZatoService old defines, too: rename one of them"
        );
        let twice = [service("s", &[("a.py", &mine), ("b.py", &mine)])];
        assert!(matches!(
            checked(&twice)[0].result,
            Err(Refusal::ServiceNameTaken { .. })
        ));
    }

    #[test]
    fn a_name_of_zatos_own_is_refused() {
        let text = named("zato.ping");
        let services = [service("s", &[("a.py", &text)])];
        assert!(matches!(
            checked(&services)[0].result,
            Err(Refusal::InternalName { .. })
        ));
    }

    #[test]
    fn one_bad_file_refuses_the_whole_service() {
        let services = [service("s", &[("a.py", "x = 1\n"), ("b.py", "def (:\n")])];
        assert!(matches!(checked(&services)[0].result, Err(Refusal::Syntax(_))));
    }

    #[test]
    fn the_object_at_hand_counts_and_not_an_older_copy_in_the_cache() {
        let inputs = Inputs {
            cluster: None,
            siblings: vec![service("s", &[("a.py", "(")])],
            reports: vec![],
        };
        let plan = plan(&service("s", &[("a.py", "x = 1\n")]), inputs);
        assert_eq!(plan.refusal, None);
    }
}
