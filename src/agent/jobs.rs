//! Jobs on Zato's scheduler: in the server's database as the index says.
//!
//! Level-based, as channels are. Nothing is written while the scheduler does not answer: the server would tell it later, and
//! the scheduler, which reads the database when it starts, would run the job twice.

mod rows;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::Timestamp;

use super::code::Wanted;
use super::look::{self, Done, Pace, Reports, Told};
use super::zato::{Error, Server};
use crate::exchange::{Schedule, ServiceReport};
use rows::{Step, WantedJob, fields, steps, wanted_jobs};

/// What is told where no scheduler can run a job.
const NO_SCHEDULER: &str =
    "the cluster has no scheduler: set spec.scheduler.enabled of the ZatoCluster to true";

/// Keeps the jobs of one server's database.
pub struct Jobs {
    pace: Pace,
    has_scheduler: bool,
    /// Those that run once and that the scheduler has had: names of rows, and revisions.
    made: BTreeSet<(String, String)>,
    reports: Reports,
}

impl Jobs {
    /// Of a pod with or without a scheduler.
    pub fn new(has_scheduler: bool) -> Self {
        Self {
            pace: Pace::default(),
            has_scheduler,
            made: BTreeSet::new(),
            reports: Reports::new(),
        }
    }

    /// The jobs of each service.
    pub fn reports(&self) -> &Reports {
        &self.reports
    }

    /// The server starts anew: its database is looked at again.
    pub fn forget(&mut self) {
        self.pace.forget();
    }

    /// Another server keeps them now.
    pub fn leave(&mut self) {
        self.pace.forget();
        self.reports.clear();
    }

    /// Makes the database as the index says, each job when its service is loaded; whether nothing is left to do now.
    pub async fn step(
        &mut self,
        wanted: &Wanted,
        services: &BTreeMap<String, ServiceReport>,
        server: &Server,
    ) -> bool {
        let revision = &wanted.index.revision;
        if !self.pace.is_due(revision) {
            return self.pace.is_settled();
        }
        let jobs = wanted_jobs(wanted, services);
        if !self.has_scheduler {
            // What is in the database waits there.
            self.reports = refused(&jobs, NO_SCHEDULER);
            return true;
        }
        let result = self.look(&jobs, server).await;
        if let Some(error) = self.pace.conclude("jobs", revision, jobs.len(), result) {
            self.reports = refused(&jobs, &error);
        }
        self.pace.is_settled()
    }

    async fn look(&mut self, jobs: &[WantedJob<'_>], server: &Server) -> Result<Done, Error> {
        let found = server.jobs().await?;
        let now = Timestamp::now().as_second();
        self.made.retain(|made| jobs.iter().any(|job| made == &key(job)));
        let is_made = |job: &WantedJob<'_>| job.job.is_made || self.made.contains(&key(job));
        let steps = steps(jobs, &found, now, is_made);
        let over: Vec<_> = steps.iter().filter_map(Step::over).collect();
        let mut done = self.write(&steps, server).await;
        self.note_made(jobs, &done);
        if self.pace.is_too_long() {
            done.give_up();
        }
        self.reports = reports(jobs, &done);
        for (service, job) in over {
            if let Some(report) = self.reports.get_mut(service).and_then(|of| of.get_mut(job)) {
                report.is_over = true;
            }
        }
        Ok(done)
    }

    /// Nothing while the scheduler does not answer.
    async fn write(&self, steps: &[Step<'_>], server: &Server) -> Done {
        let mut done = Done::default();
        let names = || steps.iter().filter_map(Step::written).map(str::to_owned);
        if names().next().is_none() {
            return done;
        }
        if let Err(error) = server.ask_scheduler().await {
            done.is_stuck = true;
            if self.pace.is_too_long() {
                done.failed.extend(names().map(|name| (name, error.to_string())));
            } else {
                // It starts with the server.
                done.early.extend(names());
            }
            return done;
        }
        for step in steps {
            match step {
                Step::Over(_) => {}
                Step::Delete(row) => {
                    let result = server.delete_job(row.id).await;
                    done.is_stuck |= result.is_err();
                    done.note(&row.name, result);
                }
                // Its service may not be there yet.
                Step::Create(job, _) if job.is_early => drop(done.early.insert(job.name.clone())),
                Step::Edit(row, job, _)
                    if job.is_early && (row.service_name != job.job.service || runs_once(job)) =>
                {
                    done.early.insert(job.name.clone());
                }
                Step::Create(job, start) => {
                    done.note(&job.name, server.write_job(None, fields(job, *start)).await);
                }
                Step::Edit(row, job, start) => {
                    done.note(
                        &job.name,
                        server.write_job(Some(row.id), fields(job, *start)).await,
                    );
                }
            }
        }
        done
    }

    /// Of those that run once: what is in the database now.
    fn note_made(&mut self, jobs: &[WantedJob<'_>], done: &Done) {
        let is_there =
            |job: &&WantedJob<'_>| !done.failed.contains_key(&job.name) && !done.early.contains(&job.name);
        let made = jobs.iter().filter(|job| runs_once(job)).filter(is_there);
        self.made.extend(made.map(key));
    }
}

/// Two can be alike but for their names.
fn key(job: &WantedJob<'_>) -> (String, String) {
    (job.name.clone(), job.job.revision())
}

fn runs_once(job: &WantedJob<'_>) -> bool {
    matches!(job.job.schedule, Schedule::At(_))
}

fn refused(jobs: &[WantedJob<'_>], error: &str) -> Reports {
    let names = jobs.iter().map(|job| job.name.clone());
    reports(jobs, &Done::failed(names, error))
}

fn reports(jobs: &[WantedJob<'_>], done: &Done) -> Reports {
    let told = jobs.iter().map(|job| Told {
        place: job.place,
        names: vec![&job.name],
        revision: job.job.revision(),
        label: String::new(),
    });
    look::reports(told, done)
}

#[cfg(test)]
mod tests;
