//! Two hundred ZatoServices in one cluster, one of them broken and one that takes long: they do not disturb one another.
//! `make e2e` brings everything up.

// Helpers of tests are tests, too. Not every story uses every word.
#![allow(clippy::unwrap_used, dead_code)]

mod support;

use std::time::Instant;

use futures::{StreamExt, stream};
use kube::api::ListParams;
use serde_json::json;
use support::way::Way;
use support::{Namespace, condition, service, until_service, until_service_told};
use zato_operator::api::{ZatoCluster, ZatoService};

const COUNT: usize = 200;

fn name(number: usize) -> String {
    format!("many-{number:03}")
}

fn code(number: usize, answer: &str) -> String {
    support::code(answer).replace("story.greeting", &format!("many.s{number:03}"))
}

/// How many are Ready, and the names of those that are not.
async fn ready(space: &Namespace) -> (usize, Vec<String>) {
    let all = space
        .api::<ZatoService>()
        .list(&ListParams::default())
        .await
        .unwrap();
    let is_ready = |service: &&ZatoService| {
        let found = service.status.as_ref();
        found
            .and_then(|status| condition(&status.conditions, "Ready"))
            .is_some_and(|ready| ready.status == "True")
    };
    let (good, others): (Vec<_>, Vec<_>) = all.items.iter().partition(is_ready);
    let named = |service: &ZatoService| service.metadata.name.clone().unwrap();
    (good.len(), others.into_iter().map(named).collect())
}

#[tokio::test]
async fn many_services_do_not_disturb_one_another() {
    let space = support::start("many", json!({})).await;
    let begin = Instant::now();
    stream::iter(0..COUNT)
        .for_each_concurrent(16, async |number| {
            let text = match number {
                7 => format!("import no_such_module\n{}", code(number, "first")),
                8 => format!("import time\ntime.sleep(20)\n{}", code(number, "first")),
                _ => code(number, "first"),
            };
            let file = format!("many_{number:03}.py");
            let object = service(&name(number), "c", &[(&file, &text)]);
            space.create::<ZatoService>(&object).await.unwrap();
        })
        .await;
    println!("{COUNT} ZatoServices are made after {:?}", begin.elapsed());
    // The one of `start`, too.
    let others = space
        .until_some("all but the broken one are Ready", || async {
            let (count, others) = ready(&space).await;
            (count == COUNT).then_some(others)
        })
        .await;
    println!("all but the broken one are Ready after {:?}", begin.elapsed());
    assert_eq!(others, [name(7)]);
    until_service_told(&space, &name(7), "Ready", "LoadFailed", "no_such_module").await;

    // One more edit is as fast as if the others were not there, and reaches the one that was broken, too.
    let way = Way::to(&space, "service/c", 11223).await;
    for number in [150, 7] {
        let begin = Instant::now();
        let patch =
            json!({"spec": {"source": {"inline": {format!("many_{number:03}.py"): code(number, "second")}}}});
        space.merge::<ZatoService>(&name(number), &patch).await.unwrap();
        let path = format!("/zato/api/invoke/many.s{number:03}");
        space
            .until("the edit answers", || async {
                way.get(&path).await.1.contains("second")
            })
            .await;
        println!("an edit answers after {:?}", begin.elapsed());
        until_service(&space, &name(number), "Ready", |ready| ready.status == "True").await;
    }
    // The cluster's count is written after the services' conditions.
    let all = format!("{0}/{0}", COUNT + 1);
    space
        .until("the cluster counts all as ready", || async {
            let status = space.get::<ZatoCluster>("c").await.status;
            status
                .and_then(|status| status.services)
                .is_some_and(|services| services.summary == all)
        })
        .await;
    space.delete().await;
}
