//! The services of ours that rows of channels lead to: each server loads their files by itself, whichever server keeps the rows.

use super::{ChannelKind, Channels, State, Wanted, WantedRow};
use crate::agent::look::Done;
use crate::agent::zato::{Error, Server};
use crate::agent::{cache, soap};

impl Channels {
    /// Another server keeps the rows: whether this one has what they lead to, which each server loads by itself.
    pub async fn attend(&mut self, wanted: &Wanted, server: &Server) -> bool {
        self.pace.forget();
        self.reports.clear();
        let revision = &wanted.index.revision;
        if self.files_pace.is_due(revision) {
            let result = self.files(wanted, server).await;
            if let Ok(done) = &result {
                self.missing = done.failed.values().next().cloned();
            }
            self.files_pace.conclude("files of channels", revision, 1, result);
        }
        self.files_pace.is_settled()
    }

    /// Whether the server has them, or will not have them.
    pub async fn has_files(&mut self, wanted: &Wanted, server: &Server) -> bool {
        match self.files(wanted, server).await {
            Ok(done) => done.early.is_empty(),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "files of channels could not be asked for: tried again");
                false
            }
        }
    }

    /// Files that nobody needs any more stay until the server starts anew: when the rows are gone only their keeper knows.
    async fn files(&mut self, wanted: &Wanted, server: &Server) -> Result<Done, Error> {
        let mut done = Done::default();
        let states = [
            (soap::FILE, self.soap.state(wanted, server).await?),
            (cache::FILE, self.cache.state(server).await?),
        ];
        for (file, state) in states {
            match state {
                State::Loaded => {}
                State::Loading => drop(done.early.insert(file.to_owned())),
                State::Failed(why) => drop(done.failed.insert(file.to_owned(), why)),
            }
        }
        Ok(done)
    }
}

/// Rows for SOAP wait until the server has what they lead to. `left_out`: why those of a `ZatoService` lead to nothing.
pub(super) fn hold_back(
    rows: &mut [WantedRow<'_>],
    state: &State,
    mut left_out: impl FnMut(&str) -> Option<String>,
    done: &mut Done,
) {
    let of_soap = |row: &&mut WantedRow<'_>| row.channel.kind == ChannelKind::Soap;
    for row in rows.iter_mut().filter(of_soap) {
        let name = row.name.clone();
        match (left_out(row.place.0), state) {
            (Some(why), _) => drop(done.failed.insert(name, why)),
            (None, State::Failed(why)) => drop(done.failed.insert(name, why.clone())),
            (None, State::Loading) => drop(done.early.insert(name)),
            (None, State::Loaded) => continue,
        }
        row.is_early = true;
    }
}

/// Rows with a cache wait until the server has what they lead to, and the code that makes the answers.
pub(super) fn hold_back_cached(rows: &mut [WantedRow<'_>], state: &State, done: &mut Done) {
    let with_cache = |row: &&mut WantedRow<'_>| cache::is_cached(row.channel);
    for row in rows.iter_mut().filter(with_cache) {
        match state {
            State::Failed(why) => drop(done.failed.insert(row.name.clone(), why.clone())),
            State::Loaded if !row.is_early => continue,
            State::Loading | State::Loaded => drop(done.early.insert(row.name.clone())),
        }
        row.is_early = true;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::agent::channels::rows::tests::{channel, wanted};
    use crate::agent::zato::double;
    use crate::exchange::{IndexedChannel, hash};

    /// What a server answers that has a file of this text, or none; an error: it has lost its database.
    async fn server(text: Result<Option<String>, ()>) -> Server {
        double::server(move |service, _| match (service, &text) {
            ("zato.service.get-source-info", Ok(Some(text))) => {
                Some(json!({"source_path": "/hot/x.py", "source_hash": hash(text.as_bytes())}))
            }
            _ => None,
        })
        .await
    }

    /// On a server whose rows another one keeps, and before it takes calls: it has what rows lead to, or waits.
    #[tokio::test]
    async fn rows_of_others_lead_to_something() {
        let cached = IndexedChannel {
            cache_seconds: 30,
            ..channel("/a", &["GET"], None)
        };
        let (with, without) = (wanted(&[("a", cached)]), wanted(&[]));
        let wish = cache::Cache::wish(&with);
        for (wanted, text, has_it) in [
            (&with, Ok(wish.clone()), true),
            (&with, Ok(None), false),
            (&with, Err(()), false),
            (&without, Err(()), true),
        ] {
            let server = server(text.clone()).await;
            let mut channels = Channels::default();
            channels.cache.learn(wanted, &BTreeMap::new());
            assert_eq!(channels.has_files(wanted, &server).await, has_it, "{text:?}");
            assert_eq!(channels.attend(wanted, &server).await, has_it, "{text:?}");
            assert_eq!(channels.missing(), None);
        }
    }
}
