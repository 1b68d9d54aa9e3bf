//! Everything in a namespace, without what differs between two runs that went the same way.

use serde_json::{Value, json};

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::ListParams;
use zato_operator::api::{ZatoCluster, ZatoService};
use zato_operator::cluster::credentials;

use super::support::{Kind, Namespace};

/// Times, counters of changes, and what the API server or a controller draws by lot. Hashes of the pod template are among
/// them: it has the fingerprint of the key.
const BY_CHANCE: [&str; 15] = [
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "generation",
    "time",
    "lastTransitionTime",
    "published",
    "kept",
    // Of documents, in which the address has the name of the namespace.
    "hash",
    "zato.io/document-hash",
    "clusterIP",
    "clusterIPs",
    "currentRevision",
    "updateRevision",
    "collisionCount",
];

/// All objects of a namespace that the operator reads or writes, events aside: those are a courtesy.
pub async fn of(space: &Namespace) -> Value {
    let (clusters, services, sets, pods) = tokio::join!(
        all::<ZatoCluster>(space),
        all::<ZatoService>(space),
        all::<StatefulSet>(space),
        all::<Pod>(space)
    );
    let (secrets, maps, accounts, roles) = tokio::join!(
        all::<Secret>(space),
        all::<ConfigMap>(space),
        all::<ServiceAccount>(space),
        all::<Role>(space)
    );
    let (bindings, claims, addresses) = tokio::join!(
        all::<RoleBinding>(space),
        all::<PersistentVolumeClaim>(space),
        all::<Service>(space)
    );
    let kinds = [
        ("ZatoCluster", clusters),
        ("ZatoService", services),
        ("StatefulSet", sets),
        ("Pod", pods),
        ("Secret", secrets),
        ("ConfigMap", maps),
        ("ServiceAccount", accounts),
        ("Role", roles),
        ("RoleBinding", bindings),
        ("PersistentVolumeClaim", claims),
        ("Service", addresses),
    ];
    let kinds = kinds.into_iter().map(|(kind, all)| (kind.to_owned(), all));
    normal(space, kinds.collect())
}

async fn all<K: Kind>(space: &Namespace) -> Value {
    let list = space.api::<K>().list(&ListParams::default()).await.unwrap();
    serde_json::to_value(list.items).unwrap()
}

/// Identities become names first, wherever they stand: in owner references, in the API server's account of fields, in
/// reports.
fn normal(space: &Namespace, kinds: serde_json::Map<String, Value>) -> Value {
    let mut names = vec![(space.name().to_owned(), "NAMESPACE".to_owned())];
    for (kind, object) in kinds
        .iter()
        .flat_map(|(kind, all)| all.as_array().unwrap().iter().map(move |o| (kind, o)))
    {
        let metadata = &object["metadata"];
        let uid = metadata["uid"].as_str().unwrap().to_owned();
        names.push((uid, format!("{kind} {}", metadata["name"].as_str().unwrap())));
        if kind == "PersistentVolumeClaim" {
            // A cluster that takes an older claim up says of when it is.
            let created = metadata["creationTimestamp"].as_str().unwrap();
            names.push((created.to_owned(), "CREATION".into()));
        }
        let secret = (kind == "Secret").then(|| serde_json::from_value::<Secret>(object.clone()).unwrap());
        if let Some(Ok(fingerprint)) = secret.as_ref().map(credentials::check) {
            names.push((fingerprint.0, "FINGERPRINT".into()));
        }
    }
    let mut text = Value::Object(kinds).to_string();
    for (identity, name) in names {
        text = text.replace(&identity, &name);
    }
    let mut kinds: Value = serde_json::from_str(&text).unwrap();
    for pod in kinds["Pod"].as_array_mut().unwrap() {
        *pod = reduced(pod);
    }
    for secret in kinds["Secret"].as_array_mut().unwrap() {
        if secret["metadata"]["name"] == "c-zato" {
            for value in secret["data"].as_object_mut().unwrap().values_mut() {
                *value = "drawn by lot".into();
            }
        }
    }
    for map in kinds["ConfigMap"].as_array_mut().unwrap() {
        if let Some(report) = map["data"]
            .get_mut("report.json")
            .filter(|report| !report.as_str().unwrap().contains("Pod c-"))
        {
            let mut of_gone: Value = serde_json::from_str(report.as_str().unwrap()).unwrap();
            of_gone["podUid"] = "a pod that is gone".into();
            *report = of_gone.to_string().into();
        }
    }
    for set in kinds["StatefulSet"].as_array_mut().unwrap() {
        // How often it was changed.
        set["status"]
            .as_object_mut()
            .unwrap()
            .remove("observedGeneration");
    }
    strip(&mut kinds);
    kinds
}

/// A pod is another controller's: of it counts what runs.
fn reduced(pod: &Value) -> Value {
    let images: Vec<_> = pod["spec"]["containers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c["image"])
        .collect();
    json!({"name": pod["metadata"]["name"], "images": images, "ends": !pod["metadata"]["deletionTimestamp"].is_null(),
        "phase": pod["status"]["phase"]})
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|key, _| !BY_CHANCE.contains(&key.as_str()));
            object.values_mut().for_each(strip);
            if let Some(Value::Array(entries)) = object.get_mut("managedFields") {
                entries.sort_by_key(|entry| {
                    ["manager", "operation", "subresource"].map(|key| entry[key].to_string())
                });
            }
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

/// The lines in which two snapshots differ.
pub fn difference(wanted: &Value, found: &Value) -> String {
    let mut lines = vec![];
    differ("", wanted, found, &mut lines);
    lines.join("\n")
}

fn differ(path: &str, wanted: &Value, found: &Value, lines: &mut Vec<String>) {
    match (wanted, found) {
        _ if wanted == found => {}
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for key in keys {
                differ(&format!("{path}/{key}"), &wanted[key], &found[key], lines);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (n, (a, b)) in a.iter().zip(b).enumerate() {
                differ(&format!("{path}/{n}"), a, b, lines);
            }
        }
        _ => lines.push(format!("{path}\n  wanted {wanted}\n  found  {found}")),
    }
}
