//! Jobs in the index.

use serde::{Deserialize, Serialize};

use super::short_hash;

/// A job in the index.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct IndexedJob {
    /// The service.
    pub service: String,
    /// When it runs.
    pub schedule: Schedule,
    /// What the service gets, as JSON.
    pub payload: String,
    /// Whether a job that runs once was handed to the scheduler: one that is not there any more has run then.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_made: bool,
}

/// When a job runs. Times are seconds since 1970, UTC.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum Schedule {
    /// Again and again after so many seconds.
    Interval(i64),
    /// When the clock matches.
    Cron(String),
    /// Once.
    At(i64),
}

impl Default for Schedule {
    fn default() -> Self {
        Self::At(0)
    }
}

impl IndexedJob {
    /// By which a report says what it is about: 16 hexadecimal digits of a SHA-256.
    pub fn revision(&self) -> String {
        let bare = Self {
            is_made: false,
            ..self.clone()
        };
        short_hash(serde_json::to_string(&bare).unwrap_or_default().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Else a report of before would not be about it any more.
    #[test]
    fn that_it_was_made_makes_no_other_job_of_it() {
        let job = |is_made, at| IndexedJob {
            is_made,
            schedule: Schedule::At(at),
            ..IndexedJob::default()
        };
        assert_eq!(job(true, 1).revision(), job(false, 1).revision());
        assert_ne!(job(true, 1).revision(), job(true, 2).revision());
    }
}
