//! Pure: what keeps the pods of one component from going at the same time: on which nodes they are, and how many of them may be
//! evicted. Of Distributed clusters alone.

use k8s_openapi::api::core::v1::{
    Affinity, PodAffinityTerm, PodAntiAffinity, PodSpec, TopologySpreadConstraint, WeightedPodAffinityTerm,
};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::api::topology::{DisruptionBudget, Spread, Topology};
use crate::api::zato_cluster::ZatoClusterSpec;
use crate::k8s::labels;

/// Pods of one component on one node cost a node this much of what all rules together can.
const WEIGHT: i32 = 100;

/// The rules for the components of which there may be several pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Servers.
    pub servers: Availability,
    /// Load balancers.
    pub load_balancers: Availability,
}

impl Rules {
    /// As a user wants it. All of a Quickstart cluster is in one pod: there are none.
    pub fn of(spec: &ZatoClusterSpec) -> Self {
        if spec.topology == Topology::Quickstart {
            return Self::default();
        }
        let (servers, balancers) = (&spec.servers, &spec.load_balancer);
        // Templates stay as they are: what was stopped starts as it was.
        let running = |replicas| if spec.stopped { 0 } else { replicas };
        let of = |spread, budget, replicas| Availability::of(spread, budget, running(replicas));
        Self {
            servers: of(servers.spread, &servers.disruption_budget, servers.replicas),
            load_balancers: of(balancers.spread, &balancers.disruption_budget, balancers.replicas),
        }
    }
}

/// The rules for one component.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Availability {
    /// Whether its pods go to different nodes and zones where that is possible.
    pub is_spread: bool,
    /// Whether at most one of them may be evicted at a time.
    pub has_budget: bool,
}

impl Availability {
    /// With so many pods. One alone needs no budget: it could never be evicted, or always.
    fn of(spread: Spread, budget: &DisruptionBudget, replicas: i32) -> Self {
        Self {
            is_spread: spread == Spread::Preferred,
            has_budget: budget.enabled && replicas > 1,
        }
    }

    /// The same pod, at its place. No rule keeps it from running.
    #[must_use]
    pub fn placed(self, cluster: &str, component: &str, pod: PodSpec) -> PodSpec {
        if !self.is_spread {
            return pod;
        }
        let selector = labels::label_selector(cluster, component);
        PodSpec {
            affinity: Some(Affinity {
                pod_anti_affinity: Some(PodAntiAffinity {
                    preferred_during_scheduling_ignored_during_execution: Some(vec![
                        WeightedPodAffinityTerm {
                            weight: WEIGHT,
                            pod_affinity_term: PodAffinityTerm {
                                label_selector: Some(selector.clone()),
                                topology_key: "kubernetes.io/hostname".into(),
                                ..PodAffinityTerm::default()
                            },
                        },
                    ]),
                    ..PodAntiAffinity::default()
                }),
                ..Affinity::default()
            }),
            topology_spread_constraints: Some(vec![TopologySpreadConstraint {
                label_selector: Some(selector),
                max_skew: 1,
                topology_key: "topology.kubernetes.io/zone".into(),
                when_unsatisfiable: "ScheduleAnyway".into(),
                ..TopologySpreadConstraint::default()
            }]),
            ..pod
        }
    }

    /// What a drain of nodes respects.
    pub fn budget(self, cluster: &str, component: &str, metadata: ObjectMeta) -> Option<PodDisruptionBudget> {
        self.has_budget.then(|| PodDisruptionBudget {
            metadata,
            spec: Some(PodDisruptionBudgetSpec {
                max_unavailable: Some(IntOrString::Int(1)),
                // One of a template that does not work must not keep its node from being drained.
                unhealthy_pod_eviction_policy: Some("AlwaysAllow".into()),
                selector: Some(labels::label_selector(cluster, component)),
                ..PodDisruptionBudgetSpec::default()
            }),
            ..PodDisruptionBudget::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// Each can be left out, and one pod has no budget: it would keep a node from being drained, or be of no use.
    #[rstest]
    #[case(Spread::Preferred, true, 2, true, true)]
    #[case(Spread::Preferred, true, 1, true, false)]
    #[case(Spread::Preferred, false, 3, true, false)]
    #[case(Spread::Anywhere, true, 3, false, true)]
    fn what_a_user_wants(
        #[case] spread: Spread,
        #[case] enabled: bool,
        #[case] replicas: i32,
        #[case] is_spread: bool,
        #[case] has_budget: bool,
    ) {
        let found = Availability::of(spread, &DisruptionBudget { enabled }, replicas);
        assert_eq!((found.is_spread, found.has_budget), (is_spread, has_budget));
        let placed = found.placed("c", "server", PodSpec::default());
        assert_eq!(placed.affinity.is_some(), is_spread);
        assert_eq!(placed.topology_spread_constraints.is_some(), is_spread);
        let budget = found.budget("c", "server", ObjectMeta::default());
        assert_eq!(budget.is_some(), has_budget);
    }
}
