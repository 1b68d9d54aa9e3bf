//! Pure: what a user sees of channels.

use super::Judged;
use crate::api::channels::Endpoint;
use crate::api::conditions::Reason;
use crate::exchange::{PartReport, Phase, Report};
use crate::service::channels::name;
use crate::service::plan::{Plan, PlannedChannel};

/// Where a channel is.
enum State {
    Active,
    Pending,
    Failed(Reason, String),
}

/// The addresses of the channels, in the order of the spec.
pub fn endpoints(service: &str, plan: &Plan) -> Vec<Endpoint> {
    let endpoint = |channel: &PlannedChannel| {
        let (state, error) = match state(service, channel, plan) {
            State::Active => ("Active", None),
            State::Pending => ("Pending", None),
            State::Failed(_, error) => ("Failed", Some(error)),
        };
        let rest = &channel.claim.rest;
        Endpoint {
            channel: channel.claim.name.clone(),
            url: format!("{}{}", plan.address, rest.url_path),
            methods: rest.methods.iter().map(|method| name(*method).into()).collect(),
            service: rest.service.clone(),
            state: state.into(),
            error,
        }
    };
    plan.channels.iter().map(endpoint).collect()
}

/// Whether every channel answers as its spec says; none: there is none.
pub fn judged(service: &str, plan: &Plan) -> Option<Judged> {
    let first = plan.channels.first()?;
    let told = |channel: &PlannedChannel, what: &str| format!("channel {}: {what}", channel.claim.name);
    let (mut pending, mut failed) = (None, vec![]);
    for channel in &plan.channels {
        match state(service, channel, plan) {
            State::Active => {}
            State::Pending => pending = pending.or(Some(channel)),
            State::Failed(reason, error) => failed.push((reason, told(channel, &error))),
        }
    }
    let others = failed.len().saturating_sub(1);
    if let Some((reason, message)) = failed.into_iter().next() {
        let more = match others {
            0 => String::new(),
            others => format!("; {others} more are wrong: see status.endpoints"),
        };
        return Some((false, reason, message + &more));
    }
    if let Some(channel) = pending {
        let message = told(
            channel,
            "is made or changed when servers have what they need for it",
        );
        return Some((false, Reason::ChannelsPending, message));
    }
    let mut message = match plan.channels.len() {
        1 => format!("channel {} answers", first.claim.name),
        several => format!("{several} channels answer"),
    };
    for rival in plan.channels.iter().flat_map(|channel| &channel.claim.rivals) {
        message.extend(["; ", rival, " wants a path of them, too, and does not get it"]);
    }
    Some((true, Reason::AllActive, message))
}

fn state(service: &str, channel: &PlannedChannel, plan: &Plan) -> State {
    if let Some(problem) = &channel.problem {
        let kept = if channel.claim.is_kept() {
            "; until then the channel stays as it was"
        } else {
            ""
        };
        return State::Failed(problem.reason(), format!("{problem}{kept}"));
    }
    let reports = plan.reports.iter().filter_map(|(_, report)| report.as_ref());
    let running = reports.filter(|report| matches!(report.phase, Phase::Loading | Phase::Serving));
    let revision = channel.revision();
    let of = |name: &str, report: &Report| {
        let found = report.channels.get(service)?.get(name)?;
        (Some(&found.revision) == revision.as_ref()).then(|| found.clone())
    };
    let found: Vec<Option<PartReport>> = running.map(|report| of(&channel.claim.name, report)).collect();
    if let Some(error) = found.iter().flatten().find_map(|report| report.error.clone()) {
        return State::Failed(Reason::ChannelFailed, error);
    }
    if found.is_empty() || found.iter().any(Option::is_none) {
        return State::Pending;
    }
    State::Active
}

#[cfg(test)]
mod tests;
