//! What is asked of the API server: for one cluster, and when nothing happens.

use std::time::Duration;

use super::audit::Tally;
use super::server::{OPERATOR, Server};
use super::table::{Table, time};
use super::{clusters, setting};

/// Of a cluster in full: SA, Role, RoleBinding, claim, load balancer, three Services, shard, index, report, StatefulSet,
/// keys.
pub const CHILDREN: usize = 13;
const CLUSTERS: usize = 20;

/// One cluster's requests, from creation to a server that runs.
pub async fn creation(server: &mut Server, table: &mut Table) {
    let operator = server.operator().await;
    server.namespace("one").await;
    server.audit.settled(OPERATOR).await;
    clusters::create(&server.client, "one", 0..1).await;
    let made = Tally::of(&server.audit.settled(OPERATOR).await, OPERATOR);
    clusters::heal(&server.client, "one", &clusters::name(0)).await;
    let healed = Tally::of(&server.audit.settled(OPERATOR).await, OPERATOR);
    let goal = CHILDREN.to_string();
    table.row(
        "one cluster: writes of children",
        made.children.to_string(),
        &format!("goal {goal}"),
        "",
    );
    table.row("one cluster: reads", made.reads().to_string(), "goal 0", "");
    table.row(
        "one cluster: status writes until children exist / until Ready",
        format!("{} / {}", made.status, made.status + healed.status),
        "goal: one a change",
        "",
    );
    table.row(
        "one cluster: events until children exist / until Ready",
        format!("{} / {}", made.events, made.events + healed.events),
        "one a condition's change",
        "",
    );
    table.row(
        "one cluster becomes Ready: writes of children, reads",
        format!("{}, {}", healed.children, healed.reads()),
        "goal 0, 0",
        "",
    );
    operator.end().await;
    server.forget(&["one"]).await;
}

/// Nothing happens; then reports and statuses change that mean the same.
pub async fn idle(server: &mut Server, table: &mut Table) {
    let operator = server.operator().await;
    server.namespace("idle").await;
    clusters::create(&server.client, "idle", 0..CLUSTERS).await;
    server.audit.settled(OPERATOR).await;
    for number in 0..CLUSTERS {
        let name = clusters::name(number);
        if number % 2 == 0 {
            clusters::heal(&server.client, "idle", &name).await;
        } else {
            clusters::ail(&server.client, "idle", &name).await;
        }
    }
    server.audit.settled(OPERATOR).await;
    let (begin, length) = (operator.cpu(), Duration::from_secs(setting("COST_IDLE", 300)));
    tokio::time::sleep(length).await;
    let idle = Tally::of(&server.audit.requests(), OPERATOR);
    let cpu = (operator.cpu() - begin).as_secs_f64() / length.as_secs_f64() * 1000.0;
    let what = format!("{} idle, 10 clusters Ready, 10 Unschedulable", time(length));
    table.row(
        &format!("{what}: writes, reads"),
        format!("{}, {}", idle.writes(), idle.gets + idle.lists),
        "goal 0, 0",
        "",
    );
    table.row(
        "  lease writes a minute, watches begun anew",
        format!(
            "{:.1}, {}",
            idle.lease as f64 * 60.0 / length.as_secs_f64(),
            idle.watches
        ),
        "",
        "",
    );
    table.row(
        "  CPU of the operator",
        format!("{cpu:.2} mcores"),
        "goal 1 mcore",
        "",
    );
    let touches = setting("COST_TOUCH", 60) as usize;
    for number in 1..=touches {
        let next = tokio::time::Instant::now() + Duration::from_secs(1);
        for cluster in 0..CLUSTERS {
            clusters::touch(&server.client, "idle", &clusters::name(cluster), number).await;
        }
        tokio::time::sleep_until(next).await;
    }
    let touched = Tally::of(&server.audit.settled(OPERATOR).await, OPERATOR);
    table.row(
        &format!("{touches} times status and report of 20 touched: writes, reads"),
        format!("{}, {}", touched.writes(), touched.reads()),
        "goal 0, 0",
        "",
    );
    operator.end().await;
    server.forget(&["idle"]).await;
}
