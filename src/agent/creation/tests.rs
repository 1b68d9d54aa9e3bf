use std::collections::BTreeMap;

use super::super::database::{Address, Found, Login};
use super::*;

fn identity(components: &[&str]) -> Identity {
    Identity {
        cluster: "demo".into(),
        namespace: "default".into(),
        pod: "demo-server-0".into(),
        pod_uid: "u".into(),
        components: components.iter().map(|&name| name.into()).collect(),
        scheduler: None,
        database: None,
    }
}

fn credentials() -> Credentials {
    Credentials {
        key1: "KEY1".into(),
        jwt_secret: "JWT".into(),
        scheduler: "SCHEDULER".into(),
        dashboard: "DASHBOARD".into(),
        admin_invoke: "ADMIN".into(),
        pubapi: "PUBAPI".into(),
    }
}

fn written(identity: &Identity, place: &Place) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), identity, &credentials(), place).unwrap();
    let mut texts = BTreeMap::new();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(entry.path()).unwrap();
        assert!(text.lines().all(|line| !line.is_empty()));
        texts.insert(entry.file_name().into_string().unwrap(), text);
    }
    texts
}

#[test]
fn the_files_of_a_quickstart_pod() {
    let identity = identity(&["server", "scheduler", "dashboard"]);
    insta::assert_yaml_snapshot!(written(&identity, &Place::quickstart()));
}

fn distributed(identity: &Identity) -> Place {
    let login = Login {
        address: Address {
            host: "db.example.com".into(),
            port: 5433,
            name: "odb".into(),
            schema: Some("zato".into()),
        },
        user: "zato_user".into(),
        password: "= secret $".to_owned().into(),
    };
    Place::distributed(identity, &login)
}

#[test]
fn the_files_of_distributed_pods() {
    let mut texts = BTreeMap::new();
    for component in ["server", "scheduler", "dashboard", "database"] {
        let identity = identity(&[component]);
        let place = distributed(&identity);
        let place = if component == "database" {
            place.after(Found::Nothing)
        } else {
            place
        };
        texts.insert(component, written(&identity, &place));
    }
    insta::assert_yaml_snapshot!(texts);
}

#[test]
fn a_database_gets_what_it_lacks() {
    let identity = identity(&["database"]);
    for (found, steps) in [
        (Found::Nothing, vec!["cluster", "database"]),
        (Found::Begun, vec!["cluster", "database"]),
        (Found::Tables, vec!["cluster"]),
        (Found::Cluster(1), vec![]),
    ] {
        let place = distributed(&identity).after(found);
        assert_eq!(
            written(&identity, &place).into_keys().collect::<Vec<_>>(),
            steps,
            "{found:?}"
        );
    }
}
