//! `zato-operator check`: whether an installed operator can do its work. `helm test` runs it with the operator's account.
//!
//! Only asks: are the custom resources served, is each right of [`rbac`] granted, does somebody lead?

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::PostParams;
use kube::{Api, Client};

use crate::k8s::labels;
use crate::reconcile::rbac::{OWN_RULES, RULES, Rule};
use crate::telemetry::served;

/// What is missing; empty: nothing. `namespaces`: those that are watched; none of them: everywhere.
pub async fn missing(
    client: &Client,
    own_namespace: &str,
    namespaces: &[Option<String>],
) -> kube::Result<Vec<String>> {
    let mut missing: Vec<String> = served::missing(client).await.into_iter().collect();
    for namespace in namespaces {
        missing.extend(lacking(client, RULES, namespace.as_deref(), None).await?);
    }
    missing.extend(lacking(client, OWN_RULES, Some(own_namespace), Some(labels::MANAGER)).await?);
    let lease = Api::<Lease>::namespaced(client.clone(), own_namespace)
        .get_opt(labels::MANAGER)
        .await?;
    let holder = lease
        .and_then(|lease| lease.spec?.holder_identity)
        .unwrap_or_default();
    if holder.is_empty() {
        missing.push(format!(
            "no operator leads: Lease {} of namespace {own_namespace} has no holder",
            labels::MANAGER
        ));
    }
    Ok(missing)
}

/// The rights of `rules` that are not granted.
async fn lacking(
    client: &Client,
    rules: &[Rule],
    namespace: Option<&str>,
    name: Option<&str>,
) -> kube::Result<Vec<String>> {
    let reviews = Api::<SelfSubjectAccessReview>::all(client.clone());
    let mut lacking = vec![];
    for rule in rules {
        for (resource, verb) in rule
            .resources
            .iter()
            .flat_map(|resource| rule.verbs.iter().map(move |verb| (resource, verb)))
        {
            let review = SelfSubjectAccessReview {
                spec: SelfSubjectAccessReviewSpec {
                    resource_attributes: Some(attributes(rule.group, resource, verb, namespace, name)),
                    ..SelfSubjectAccessReviewSpec::default()
                },
                ..SelfSubjectAccessReview::default()
            };
            let answer = reviews.create(&PostParams::default(), &review).await?;
            if !answer.status.is_some_and(|status| status.allowed) {
                let place = namespace.map_or("all namespaces".to_owned(), |namespace| {
                    format!("namespace {namespace}")
                });
                lacking.push(format!(
                    "no right to {verb} {resource} in {place}, needed for: {}",
                    rule.because
                ));
            }
        }
    }
    Ok(lacking)
}

fn attributes(
    group: &str,
    resource: &str,
    verb: &str,
    namespace: Option<&str>,
    name: Option<&str>,
) -> ResourceAttributes {
    let (resource, subresource) = resource
        .split_once('/')
        .map_or((resource, None), |(resource, sub)| (resource, Some(sub)));
    ResourceAttributes {
        group: Some(group.into()),
        resource: Some(resource.into()),
        subresource: subresource.map(Into::into),
        verb: Some(verb.into()),
        namespace: namespace.map(Into::into),
        // What is created has no name yet.
        name: name.filter(|_| verb != "create").map(Into::into),
        ..ResourceAttributes::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subresource_is_asked_for_as_such() {
        let asked = attributes("zato.io", "zatoclusters/status", "patch", None, Some("x"));
        assert_eq!(
            (asked.resource.as_deref(), asked.subresource.as_deref()),
            (Some("zatoclusters"), Some("status"))
        );
        assert_eq!(attributes("", "leases", "create", None, Some("x")).name, None);
    }
}
