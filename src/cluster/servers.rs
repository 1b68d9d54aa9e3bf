//! Pure: the servers of a cluster as they run: their pods, and what these report. Knows no manifest.

use std::collections::BTreeSet;

use crate::exchange::{Index, Phase, Report};
use crate::k8s::names;
use crate::reconcile::child::PodState;

/// One server.
#[derive(Clone, Debug, Default)]
pub struct Server {
    /// Its pod's name, which is also its own in Zato.
    pub name: String,
    /// Its pod, if there is one.
    pub pod: Option<PodState>,
    /// What the pod that runs reports, if it does.
    pub report: Option<Report>,
}

impl Server {
    /// The server of a number, without anything that is known of it.
    pub fn of(cluster: &str, ordinal: usize) -> Self {
        Self {
            name: names::server_pod(cluster, ordinal),
            ..Self::default()
        }
    }

    /// What its agent does.
    pub fn phase(&self) -> Option<Phase> {
        self.report.as_ref().map(|report| report.phase)
    }

    /// Whether it has a pod that is there to stay.
    pub fn is_there(&self) -> bool {
        self.pod.as_ref().is_some_and(|pod| !pod.is_deleted)
    }

    /// Whether Kubernetes sends requests to it.
    pub fn is_ready(&self) -> bool {
        self.is_there() && self.pod.as_ref().is_some_and(|pod| pod.is_ready)
    }
}

/// The reports that there are.
pub fn reports(servers: &[Server]) -> impl Iterator<Item = &Report> + Clone {
    servers.iter().filter_map(|server| server.report.as_ref())
}

/// What is said by the servers that run; while none does, by all that say anything. One that starts is no server yet.
pub fn running<'a>(reports: impl Iterator<Item = &'a Report> + Clone) -> Vec<&'a Report> {
    let runs = |report: &&Report| matches!(report.phase, Phase::Loading | Phase::Serving);
    let running: Vec<_> = reports.clone().filter(runs).collect();
    if running.is_empty() {
        return reports.collect();
    }
    running
}

/// The report of the server that does what is done once for all of them.
pub fn keepers_report<'a>(index: &Index, servers: &'a [Server]) -> Option<&'a Report> {
    let is_it = |server: &&Server| index.keeper.is_empty() || server.name == index.keeper;
    servers.iter().find(is_it)?.report.as_ref()
}

/// Which server does what is done once for all: the one that does it now, or the first one, of those that serve; while none
/// does, of all.
pub fn keeper(now: &str, servers: &[Server]) -> String {
    let serves = |server: &&Server| server.is_ready() && server.phase() == Some(Phase::Serving);
    let mut candidates: Vec<_> = servers.iter().filter(serves).collect();
    if candidates.is_empty() {
        candidates = servers.iter().collect();
    }
    let kept = candidates.iter().find(|server| server.name == now);
    let chosen = kept.or(candidates.first());
    chosen.map(|server| server.name.clone()).unwrap_or_default()
}

/// The servers whose rows stay: those that are wanted, and those that have a pod still.
pub fn members(wanted: usize, servers: &[Server]) -> BTreeSet<String> {
    let all = servers.iter().enumerate();
    let stays = all.filter(|(ordinal, server)| *ordinal < wanted || server.pod.is_some());
    stays.map(|(_, server)| server.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn server(ordinal: usize, phase: Option<Phase>) -> Server {
        Server {
            pod: Some(PodState {
                is_ready: true,
                ..PodState::default()
            }),
            report: phase.map(|phase| Report {
                phase,
                ..Report::default()
            }),
            ..Server::of("c", ordinal)
        }
    }

    #[rstest]
    #[case::nobody_yet("", [None, None], "c-server-0")]
    #[case::stays_while_it_serves("c-server-1", [Some(Phase::Serving), Some(Phase::Serving)], "c-server-1")]
    #[case::moves_to_one_that_serves("c-server-1", [Some(Phase::Serving), Some(Phase::Starting)], "c-server-0")]
    #[case::stays_while_nobody_serves("c-server-1", [Some(Phase::Starting), None], "c-server-1")]
    #[case::one_that_is_gone("c-server-7", [None, None], "c-server-0")]
    fn who_keeps_what_all_share(#[case] now: &str, #[case] phases: [Option<Phase>; 2], #[case] wanted: &str) {
        let servers: Vec<_> = (0..2).map(|n| server(n, phases[n])).collect();
        assert_eq!(keeper(now, &servers), wanted);
        let index = Index {
            keeper: wanted.into(),
            ..Index::default()
        };
        let told = keepers_report(&index, &servers).map(|report| report.phase);
        let ordinal = usize::from(wanted.ends_with('1'));
        assert_eq!(told, phases[ordinal]);
    }

    /// The row of a server that still ends is needed.
    #[test]
    fn rows_go_after_their_servers() {
        let mut servers: Vec<_> = (0..3).map(|ordinal| Server::of("c", ordinal)).collect();
        servers[2].pod = Some(PodState::default());
        let names = |wanted| members(wanted, &servers).into_iter().collect::<Vec<_>>();
        assert_eq!(names(0), ["c-server-2"]);
        assert_eq!(names(1), ["c-server-0", "c-server-2"]);
    }
}
