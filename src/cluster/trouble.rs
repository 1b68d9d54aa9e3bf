//! Pure: what keeps a pod from running, in words with a next step. The kubelet and the scheduler know it; nobody who
//! looks at the cluster should have to ask them.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

use crate::api::conditions::Reason;
use crate::reconcile::child::PodState;
use crate::reconcile::error;

/// What keeps a pod from running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The reason that `Ready` gets.
    pub reason: Reason,
    /// Which part, why, and what to do.
    pub message: String,
}

/// What is told: of the pod that is there, else why there is none.
pub fn told(pod: Option<&PodState>, refusal: Option<&str>) -> Option<Trouble> {
    match pod {
        Some(pod) => pod.trouble.clone(),
        None => refusal.map(refused),
    }
}

/// What the StatefulSet's controller says that the API server said.
fn refused(message: &str) -> Trouble {
    let reason = match error::said(message) {
        Some(reason) => reason,
        // Of pods only admission says so: what else the controller lacks, no cluster can have.
        None if message.contains("forbidden") => Reason::AdmissionDenied,
        None => Reason::ApiError,
    };
    Trouble {
        reason,
        message: reason.advise(message),
    }
}

/// The first trouble of a pod, in the order in which its parts start.
pub fn of(pod: &Pod) -> Option<Trouble> {
    let status = pod.status.as_ref()?;
    let unscheduled = status
        .conditions
        .iter()
        .flatten()
        .find(|c| c.type_ == "PodScheduled" && c.status == "False");
    if let Some(condition) = unscheduled {
        let why = condition.message.clone().unwrap_or_default();
        return Some(Trouble {
            reason: Reason::Unschedulable,
            message: format!(
                "{why}{}",
                if why.contains("PersistentVolumeClaim") {
                    VOLUME
                } else {
                    NODE
                }
            ),
        });
    }
    let all = [&status.init_container_statuses, &status.container_statuses];
    all.into_iter().flatten().flatten().find_map(container)
}

/// What the last container said that failed in a pod which does not start it again. Agents write there what a person can
/// read: never a secret.
pub fn last_words(pod: &Pod) -> Option<String> {
    let status = pod
        .status
        .as_ref()
        .filter(|status| status.phase.as_deref() == Some("Failed"))?;
    let all = [&status.container_statuses, &status.init_container_statuses];
    let ended = |found: &ContainerStatus| found.state.as_ref()?.terminated.clone();
    let mut failed = all.into_iter().flatten().flatten().rev().filter_map(ended);
    let failed = failed.find(|ended| ended.exit_code != 0)?;
    Some(failed.message.unwrap_or_default().trim().to_owned()).filter(|words| !words.is_empty())
}

const VOLUME: &str = " (kubectl describe the claim: it names what its class lacks)";
const NODE: &str = " (free resources, or add a node)";

fn container(status: &ContainerStatus) -> Option<Trouble> {
    let waiting = status.state.as_ref()?.waiting.as_ref()?;
    let (name, image) = (&status.name, &status.image);
    let why = waiting.message.clone().unwrap_or_default();
    let trouble = |reason, message| Some(Trouble { reason, message });
    match waiting.reason.as_deref().unwrap_or_default() {
        "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull"
        | "ImageInspectError" => trouble(
            Reason::ImagePullFailed,
            format!(
                "image {image} cannot be pulled for container {name}: {why}: check spec.image and spec.imagePullSecrets"
            ),
        ),
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => trouble(
            Reason::ContainerFailed,
            format!("container {name} cannot start: {why}"),
        ),
        "CrashLoopBackOff" => trouble(
            Reason::ContainerFailed,
            format!(
                "container {name} ends again and again{}: see its log",
                last_end(status)
            ),
        ),
        _ => None,
    }
}

fn last_end(status: &ContainerStatus) -> String {
    let ended = status
        .last_state
        .as_ref()
        .and_then(|state| state.terminated.as_ref());
    ended.map_or(String::new(), |ended| {
        let reason = ended.reason.as_deref().unwrap_or("Error");
        format!(", the last time with exit code {} ({reason})", ended.exit_code)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    fn pod(status: Value) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": "p"}, "status": status})).unwrap()
    }

    fn waiting(reason: &str) -> Value {
        json!({"name": "server", "image": "i:1", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": reason, "message": "why"}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}})
    }

    #[test]
    fn why_there_is_no_pod_is_told_while_there_is_none() {
        let said = "create Pod c-server-0 in StatefulSet c-server failed error: exceeded quota: q";
        let told = |pod: Option<&PodState>| told(pod, Some(said));
        assert_eq!(told(None).unwrap().reason, Reason::QuotaExceeded);
        assert_eq!(told(Some(&PodState::default())), None);
        for (said, reason) in [
            (
                "admission webhook \"w\" denied the request",
                Reason::AdmissionDenied,
            ),
            ("pods \"p\" is forbidden: no", Reason::AdmissionDenied),
            ("etcd is gone", Reason::ApiError),
        ] {
            assert_eq!(refused(said).reason, reason, "{said}");
        }
    }

    #[rstest]
    #[case(json!({}), None)]
    #[case(json!({"containerStatuses": [waiting("PodInitializing")]}), None)]
    #[case(json!({"conditions": [{"type": "PodScheduled", "status": "True"}]}), None)]
    #[case(
        json!({"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes: Insufficient cpu."}]}),
        Some((Reason::Unschedulable, "Insufficient cpu. (free resources"))
    )]
    #[case(
        json!({"conditions": [{"type": "PodScheduled", "status": "False", "message": "unbound PersistentVolumeClaims"}]}),
        Some((Reason::Unschedulable, "describe the claim"))
    )]
    #[case(
        json!({"initContainerStatuses": [waiting("ErrImagePull")]}),
        Some((Reason::ImagePullFailed, "image i:1 cannot be pulled for container server: why"))
    )]
    #[case(
        json!({"containerStatuses": [waiting("CreateContainerConfigError")]}),
        Some((Reason::ContainerFailed, "container server cannot start: why"))
    )]
    #[case(
        json!({"containerStatuses": [waiting("CrashLoopBackOff")]}),
        Some((Reason::ContainerFailed, "exit code 137 (OOMKilled)"))
    )]
    fn truth_table(#[case] status: Value, #[case] wanted: Option<(Reason, &str)>) {
        let found = of(&pod(status));
        assert_eq!(found.as_ref().map(|t| t.reason), wanted.map(|w| w.0));
        let message = found.map(|t| t.message).unwrap_or_default();
        assert!(message.contains(wanted.map_or("", |w| w.1)), "{message}");
    }
}
