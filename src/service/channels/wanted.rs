//! Pure: what specs of channels say, as servers are told it.

use super::{Problem, web_socket};
use crate::api::channels::{
    Channel, DirectInvocation, Method, RateLimit, RestChannel, Security, SoapChannel, TimeUnit,
};
use crate::exchange::{ChannelKind, IndexedChannel};
use crate::openapi::facts::INVOKE_PATH;

/// What a spec wants, but for who may call, and what it says of that.
pub fn wanted(channel: &Channel) -> (IndexedChannel, Result<&Security, Problem>) {
    if let Some(web_socket) = &channel.web_socket {
        return web_socket::wanted(web_socket);
    }
    match (&channel.rest, &channel.direct_invocation, &channel.soap) {
        (Some(rest), ..) => (of_rest(rest), Ok(&rest.security)),
        (_, Some(direct), _) => (of_direct_invocation(direct), Ok(&direct.security)),
        (.., Some(soap)) => (of_soap(soap), Ok(&soap.security)),
        (None, None, None) => {
            let unknown = Problem::Invalid("it says no address that this operator knows".into());
            (IndexedChannel::default(), Err(unknown))
        }
    }
}

pub fn of_rest(rest: &RestChannel) -> IndexedChannel {
    let methods = rest.methods.iter().map(|method| name(*method).to_owned());
    IndexedChannel {
        service: rest.service.clone(),
        url_path: rest.url_path.clone(),
        methods: methods.collect(),
        rate_limit: rest.rate_limit.map(definition).unwrap_or_default(),
        cache_seconds: rest.cache.map_or(0, |cache| cache.seconds.unsigned_abs()),
        ..IndexedChannel::default()
    }
}

fn of_direct_invocation(direct: &DirectInvocation) -> IndexedChannel {
    IndexedChannel {
        kind: ChannelKind::DirectInvocation,
        url_path: INVOKE_PATH.into(),
        rate_limit: direct.rate_limit.map(definition).unwrap_or_default(),
        ..IndexedChannel::default()
    }
}

fn of_soap(soap: &SoapChannel) -> IndexedChannel {
    IndexedChannel {
        kind: ChannelKind::Soap,
        services: soap.services.iter().cloned().collect(),
        url_path: soap.url_path.clone(),
        methods: [name(Method::Post).to_owned()].into(),
        rate_limit: soap.rate_limit.map(definition).unwrap_or_default(),
        ..IndexedChannel::default()
    }
}

/// A method as it stands in a request.
fn name(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
    }
}

/// A limit as Zato reads it.
fn definition(limit: RateLimit) -> String {
    let unit = match limit.per {
        TimeUnit::Minute => "m",
        TimeUnit::Hour => "h",
        TimeUnit::Day => "d",
    };
    format!("*={}/{unit}", limit.requests)
}
