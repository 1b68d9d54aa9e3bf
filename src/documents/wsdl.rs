//! The WSDL that is published beside a document.
//!
//! Pure. Never decides which channels answer.

use super::Channels;
use crate::exchange::{ChannelKind, IndexedChannel};
use crate::openapi::model::Api;
use crate::openapi::soap;
use crate::openapi::wsdl::{self, Place};

/// What callers of SOAP are told.
#[derive(Default)]
pub struct Wsdl {
    /// None: there is no channel for SOAP.
    pub(super) text: Option<String>,
    /// What could not be said.
    pub(super) problems: Vec<String>,
}

impl Wsdl {
    /// The document of the channels for SOAP at an address. `channels`: with the services that each one calls.
    pub fn of(api: &Api, channels: &Channels, address: &str) -> Self {
        let places = channels
            .iter()
            .filter(|(_, channel)| channel.kind == ChannelKind::Soap);
        let place = |(name, channel): (&String, &IndexedChannel)| Place {
            name: name.clone(),
            address: format!("{address}{}", channel.url_path),
            services: channel.services.clone(),
        };
        let settings = wsdl::Settings {
            namespace: soap::NAMESPACE.into(),
            places: places.map(place).collect(),
        };
        if settings.places.is_empty() {
            return Self::default();
        }
        match wsdl::wsdl(api, &settings) {
            Ok((text, problems)) => Self {
                text: Some(text),
                problems,
            },
            Err(error) => Self {
                text: None,
                problems: vec![format!("the WSDL could not be written: {error}")],
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ONE, api};
    use super::super::{KEY, Publication, WSDL_KEY};
    use super::*;

    /// Another WSDL is another version, and lies beside the document.
    #[test]
    fn a_wsdl_is_published_with_the_document() {
        let channel = |path: &str| IndexedChannel {
            kind: ChannelKind::Soap,
            services: ["a.one".to_owned()].into(),
            url_path: path.into(),
            ..IndexedChannel::default()
        };
        let of = |history, path: &str| {
            let channels = Channels::from([("soap".to_owned(), channel(path))]);
            let wsdl = Wsdl::of(&api(ONE), &channels, "http://demo.ns.svc:11223");
            Publication::of(history, &api(ONE), String::new(), wsdl, |version| {
                format!("s-openapi-{version}")
            })
        };
        let first = of(vec![], "/s");
        let text = first.wsdl.as_ref().unwrap();
        assert!(text.contains("location=\"http://demo.ns.svc:11223/s\""), "{text}");
        let data = first.manifest("demo").unwrap().body["data"].clone();
        let keys: Vec<_> = data.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, [KEY, WSDL_KEY]);
        let made = first.new.unwrap().0;
        assert!(of(vec![made.clone()], "/s").new.is_none());
        assert_eq!(of(vec![made], "/t").newest().unwrap().version, 2);
        assert_eq!(Wsdl::of(&api(ONE), &Channels::new(), "").text, None);
    }
}
