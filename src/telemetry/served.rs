//! Whether the API server serves the custom resources as this operator knows them. A definition of an older version would
//! drop fields without a word, of specs and of status. Asked of the published schemas, which everybody may read.

use kube::core::Resource;
use kube::{Client, CustomResourceExt};
use serde_json::Value;

use crate::api::{ZatoCluster, ZatoService};

/// What the API server lacks; none: nothing.
pub async fn missing(client: &Client) -> Option<String> {
    let path = format!("/openapi/v3/apis/{}", ZatoCluster::api_version(&()));
    let request = http_get(&path)?;
    let schemas = match client.request::<Value>(request).await {
        Ok(document) => document["components"]["schemas"].clone(),
        Err(kube::Error::Api(status)) if status.code == 404 => Value::Null,
        Err(error) => return Some(format!("the API server does not answer: {error}")),
    };
    let lacking: Vec<String> = [lacking::<ZatoCluster>(&schemas), lacking::<ZatoService>(&schemas)]
        .into_iter()
        .flatten()
        .collect();
    (!lacking.is_empty()).then(|| format!("{}; install the chart's CRDs", lacking.join(", ")))
}

fn http_get(path: &str) -> Option<axum::http::Request<Vec<u8>>> {
    axum::http::Request::get(path).body(vec![]).ok()
}

/// What of a kind the served schemas lack.
fn lacking<K: CustomResourceExt + Resource<DynamicType = ()>>(schemas: &Value) -> Option<String> {
    let definition = serde_json::to_value(K::crd()).unwrap_or_default();
    let name = definition["metadata"]["name"].as_str().unwrap_or_default();
    let kind = K::kind(&());
    let is_kind = |schema: &&Value| {
        let kinds = schema["x-kubernetes-group-version-kind"].as_array();
        kinds.is_some_and(|kinds| kinds.iter().any(|found| found["kind"] == *kind))
    };
    let served = schemas
        .as_object()
        .and_then(|schemas| schemas.values().find(is_kind));
    let Some(served) = served else {
        return Some(format!("CustomResourceDefinition {name} is missing"));
    };
    let wanted = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    ["spec", "status"].iter().find_map(|&part| {
        let path = first_lacking(&wanted["properties"][part], &served["properties"][part], part)?;
        Some(format!(
            "CustomResourceDefinition {name} is older than this operator: it lacks {path}"
        ))
    })
}

/// The first field of a schema that another one has not.
fn first_lacking(wanted: &Value, served: &Value, path: &str) -> Option<String> {
    if served.is_null() {
        return Some(path.to_owned());
    }
    let below = |part: &str| {
        let (wanted, served) = (&wanted[part], &served[part]);
        (!wanted.is_null())
            .then(|| first_lacking(wanted, served, path))
            .flatten()
    };
    if let Some(found) = below("items").or_else(|| below("additionalProperties")) {
        return Some(found);
    }
    let fields = wanted["properties"].as_object()?;
    fields.iter().find_map(|(name, field)| {
        first_lacking(field, &served["properties"][name], &format!("{path}.{name}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn served() -> Value {
        let of = |definition: Value| {
            let mut schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
            schema["x-kubernetes-group-version-kind"] =
                json!([{"kind": definition["spec"]["names"]["kind"]}]);
            schema
        };
        let to_value = |definition| of(serde_json::to_value(definition).unwrap());
        json!({"a": to_value(ZatoCluster::crd()), "b": to_value(ZatoService::crd())})
    }

    #[test]
    fn an_older_definition_is_told_with_what_it_lacks() {
        let mut schemas = served();
        assert_eq!(lacking::<ZatoCluster>(&schemas), None);
        assert_eq!(lacking::<ZatoService>(&schemas), None);
        let status = &mut schemas["a"]["properties"]["status"]["properties"];
        status["servers"]["items"]["properties"]
            .as_object_mut()
            .unwrap()
            .remove("phase");
        assert_eq!(
            lacking::<ZatoCluster>(&schemas).unwrap(),
            "CustomResourceDefinition zatoclusters.zato.io is older than this operator: it lacks status.servers.phase"
        );
        assert!(
            lacking::<ZatoService>(&json!({}))
                .unwrap()
                .ends_with("is missing")
        );
    }
}
