//! What is told of jobs.

use super::rows::tests::{NOW, job, loaded, wanted};
use super::*;
use crate::exchange::LoadState;

#[test]
fn what_was_changed_is_told_when_it_is_found_as_it_should_be() {
    let wanted = wanted(&[("a", job(Schedule::Interval(60))), ("b", job(Schedule::At(NOW)))]);
    let jobs = wanted_jobs(&wanted, &loaded(LoadState::Loaded));
    let mut done = Done::default();
    assert_eq!(reports(&jobs, &done)["s"].len(), 2);
    done.note("kubernetes s a", Ok(()));
    let told = reports(&jobs, &done);
    assert_eq!(told["s"].keys().collect::<Vec<_>>(), ["b"]);
    done.note("kubernetes s b", Err(Error::Missing("x".into())));
    let told = reports(&jobs, &done);
    let error = "x is not in the server's database: it is made again; if this stays, see who deletes it in the dashboard";
    assert_eq!(told["s"]["b"].error.as_deref(), Some(error));
}

/// Those that run once, and are there: not what could not be written, or waits.
#[test]
fn what_the_scheduler_has_had_is_noted() {
    let wanted = wanted(&[
        ("a", job(Schedule::Interval(60))),
        ("b", job(Schedule::At(NOW))),
        ("c", job(Schedule::At(NOW + 1))),
        ("d", job(Schedule::At(NOW + 2))),
    ]);
    let found = wanted_jobs(&wanted, &loaded(LoadState::Loaded));
    let mut done = Done::default();
    done.note("kubernetes s c", Err(Error::Missing("x".into())));
    done.early.insert("kubernetes s d".into());
    let mut jobs = Jobs::new(true);
    jobs.note_made(&found, &done);
    assert_eq!(
        jobs.made,
        [("kubernetes s b".to_owned(), job(Schedule::At(NOW)).revision())].into()
    );
}

/// A cluster without a scheduler says so at each job, and asks no server.
#[tokio::test]
async fn without_a_scheduler_jobs_are_refused() {
    let wanted = wanted(&[("a", job(Schedule::Interval(60)))]);
    let server = Server::new(String::new(), String::new(), None);
    let mut jobs = Jobs::new(false);
    assert!(jobs.step(&wanted, &loaded(LoadState::Loaded), &server).await);
    assert_eq!(jobs.reports()["s"]["a"].error.as_deref(), Some(NO_SCHEDULER));
}
