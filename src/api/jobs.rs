//! Jobs: services that Zato's scheduler runs at times.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// When a service of this `ZatoService` runs: exactly one of `interval`, `cron` and `at`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.interval), has(self.cron), has(self.at)].filter(given, given).size() == 1").message("exactly one of interval, cron and at must be given"))]
#[x_kube(validation = Rule::new("!has(self.interval) || self.interval.matches('^([0-9]{1,5}d)?([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$') && self.interval.matches('[1-9]')").message("interval is days, hours, minutes and seconds in this order, such as 15m, 1h30m or 1d, and longer than nothing").field_path(".interval"))]
#[x_kube(validation = Rule::new("!has(self.cron) || self.cron.matches('^[0-9*,/-]+( [0-9*,/-]+){4}$')").message("cron has five fields of digits and * , / - (minute, hour, day of the month, month, day of the week), such as 0 2 * * 1-5").field_path(".cron"))]
#[x_kube(validation = Rule::new("!has(self.at) || self.at.getFullYear() >= 2000 && self.at.getFullYear() < 3000").message("at is a time between the years 2000 and 3000").field_path(".at"))]
pub struct Job {
    /// Its name in conditions.
    #[schemars(
        length(min = 1, max = 63),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    )]
    pub name: String,
    /// The service, one that the files of this `ZatoService` define.
    #[schemars(length(min = 1, max = 200))]
    pub service: String,
    /// It runs again and again after this time, such as `15m`, `1h30m` or `1d`: for the first time one interval after it was
    /// made. At most 366 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 24))]
    pub interval: Option<String>,
    /// It runs when the clock (UTC) matches: minute, hour, day of the month, month, and day of the week (0 and 7: Sunday), in
    /// numbers, such as `0 2 * * 1-5`. If both days are restricted, both must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 9, max = 100))]
    pub cron: Option<String>,
    /// It runs once, at this time, or as soon as there is a scheduler after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
    /// What the service gets as its request, as JSON. At most 10,000 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
    pub payload: Option<Map<String, Value>>,
    /// Whether it is taken off the scheduler until this is false again.
    #[serde(default)]
    pub suspend: bool,
}

/// What is known of a job.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct JobStatus {
    /// The job.
    pub name: String,
    /// The service.
    pub service: String,
    /// When it runs, in words.
    pub schedule: String,
    /// Active, Pending, Suspended, Finished (it ran once and does not run again) or Failed.
    pub state: String,
    /// Why it is not on the scheduler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
