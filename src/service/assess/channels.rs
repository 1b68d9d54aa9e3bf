//! Pure: what a user sees of channels.

use super::Judged;
use super::parts::{State, Trouble};
use crate::api::channels::Endpoint;
use crate::api::conditions::Reason;
use crate::cluster::desired::network;
use crate::exchange::{ChannelKind, IndexedChannel};
use crate::service::plan::{Plan, PlannedChannel};

/// How many services are told one by one.
const TOLD: usize = 5;

/// What is told of those that are not as they should be.
const TROUBLE: Trouble = Trouble {
    list: "status.endpoints",
    pending: Reason::ChannelsPending,
    waits: "is made or changed when servers have what they need for it",
};

/// The addresses of the channels, in the order of the spec.
pub fn endpoints(service: &str, plan: &Plan) -> Vec<Endpoint> {
    let endpoint = |channel: &PlannedChannel| {
        let (state, error) = state(service, channel, plan).told();
        let wanted = &channel.claim.wanted;
        Endpoint {
            channel: channel.claim.name.clone(),
            url: url(plan, wanted),
            methods: wanted.methods.iter().cloned().collect(),
            service: wanted.service.clone(),
            state,
            error,
        }
    };
    plan.channels.iter().map(endpoint).collect()
}

fn url(plan: &Plan, wanted: &IndexedChannel) -> String {
    let path = &wanted.url_path;
    match wanted.web_socket {
        Some(web_socket) => format!(
            "{}{path}",
            network::web_socket_address(&plan.address, web_socket.port)
        ),
        None => format!("{}{path}", plan.address),
    }
}

/// Whether every channel answers as its spec says; none: there is none.
pub fn judged(service: &str, plan: &Plan) -> Option<Judged> {
    let first = plan.channels.first()?;
    let states = plan.channels.iter().map(|channel| {
        let name = format!("channel {}", channel.claim.name);
        (name, state(service, channel, plan))
    });
    if let Some(trouble) = TROUBLE.of(states) {
        return Some(trouble);
    }
    let mut message = match plan.channels.len() {
        1 => format!("channel {} answers", first.claim.name),
        several => format!("{several} channels answer"),
    };
    for channel in &plan.channels {
        let what = match channel.claim.wanted.kind {
            ChannelKind::WebSocket => "port",
            _ => "path",
        };
        for rival in &channel.claim.rivals {
            message.extend([
                "; ",
                rival,
                " wants a ",
                what,
                " of them, too, and does not get it",
            ]);
        }
    }
    if !plan.not_invoked.is_empty() {
        let names: Vec<_> = plan.not_invoked.iter().map(String::as_str).collect();
        let told = names.get(..TOLD).unwrap_or(&names).join(", ");
        let more = names.len().saturating_sub(TOLD);
        let why = "because their names do not stand in the source or are none for a path";
        message.extend(["; not invoked by a client of their own, ", why, ": ", &told]);
        if more > 0 {
            message.extend([" and ", &more.to_string(), " more"]);
        }
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
    State::on_servers(
        plan,
        channel.revision().as_ref(),
        Reason::ChannelFailed,
        |report| report.channels.get(service)?.get(&channel.claim.name),
    )
}

#[cfg(test)]
mod tests;
