//! Many clusters: time until all children exist, CPU, memory, and what a restart takes.

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, PostParams};
use serde_json::json;

use super::audit::{Request, Tally};
use super::calm::CHILDREN;
use super::clusters;
use super::raw::{self, Way};
use super::server::{OPERATOR, Operator, RAW, Server};
use super::table::{Table, time};

/// How many clusters the raw client makes at a time; the best of the smaller batch is taken for the larger one.
const CONCURRENCIES: [usize; 3] = [4, 8, 32];
const UNRELATED: usize = 5000;

/// How long the creation of a batch took, and the CPU time of those that took part.
struct Creation {
    time: Duration,
    /// Of the client: the operator, or the raw one.
    client: Duration,
    /// Of API server and etcd.
    server: Duration,
}

/// 100 and 500 clusters, by the operator and by the raw client.
pub async fn creation(server: &mut Server, table: &mut Table) {
    let ways = [("creates", Way::Create), ("applies", Way::Apply)];
    let mut concurrencies = ways.map(|_| CONCURRENCIES.to_vec());
    for count in [100, 500] {
        let mut limits = vec![];
        for ((name, way), concurrencies) in ways.iter().zip(&mut concurrencies) {
            let (best, limit) = by_raw(server, *way, count, concurrencies).await;
            *concurrencies = vec![best];
            limits.push((format!("raw client that {name}, {best} at a time"), limit));
        }
        let operator = server.operator().await;
        server.audit.settled(OPERATOR).await;
        if count == 100 {
            memory(&operator, table, "0 clusters", "");
        }
        let namespace = format!("s{count}");
        server.namespace(&namespace).await;
        let (made, requests) = by_operator(server, &operator, &namespace, 0..count).await;
        beside(table, count, &made, &limits);
        per_cluster(table, count, &requests, operator.reconciled().await);
        let goal = if count == 500 { "goal 16 MB" } else { "" };
        memory(&operator, table, &format!("{count} clusters"), goal);
        operator.end().await;
        server.forget(&[&namespace]).await;
    }
}

/// Time and CPU time, beside those of each raw client.
fn beside(table: &mut Table, count: usize, made: &Creation, limits: &[(String, Creation)]) {
    let each = |cpu: Duration| cpu.as_secs_f64() * 1000.0 / count as f64;
    let both = |made: &Creation| format!("{:.1} + {:.1} ms", each(made.client), each(made.server));
    for (name, limit) in limits {
        let figure = format!("{count} clusters: until all children exist");
        table.times(&figure, made.time, (name, limit.time), 1.25);
        table.row(
            "  CPU for each: client + API server and etcd",
            both(made),
            &format!("{name} {}", both(limit)),
            &format!(
                "{:.2}",
                each(made.client + made.server) / each(limit.client + limit.server)
            ),
        );
    }
}

fn per_cluster(table: &mut Table, count: usize, requests: &[Request], reconciles: usize) {
    let tally = Tally::of(requests, OPERATOR);
    let each = |number: usize| number as f64 / count as f64;
    table.row(
        "  for each: children, status writes, events, reads, reconciles",
        format!(
            "{:.2}, {:.2}, {:.2}, {:.2}, {:.2}",
            each(tally.children),
            each(tally.status),
            each(tally.events),
            each(tally.reads()),
            each(reconciles)
        ),
        &format!("goal {CHILDREN}, one a change, -, 0, -"),
        "",
    );
}

async fn by_operator(
    server: &mut Server,
    operator: &Operator,
    namespace: &str,
    range: std::ops::Range<usize>,
) -> (Creation, Vec<Request>) {
    let (mut requests, wanted) = (vec![], range.len() * CHILDREN);
    let (begin, cpu) = (Instant::now(), (operator.cpu(), server.cpu()));
    clusters::create(&server.client, namespace, range).await;
    while made(&requests, OPERATOR) < wanted {
        assert!(
            begin.elapsed() < Duration::from_mins(10),
            "not all children exist"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
        requests.extend(server.audit.requests());
    }
    let time = duration(&requests, OPERATOR);
    requests.extend(server.audit.settled(OPERATOR).await);
    let (client, server) = (operator.cpu() - cpu.0, server.cpu() - cpu.1);
    (Creation { time, client, server }, requests)
}

async fn by_raw(server: &mut Server, way: Way, count: usize, concurrencies: &[usize]) -> (usize, Creation) {
    let mut best: Option<(usize, Creation)> = None;
    for &concurrency in concurrencies {
        let namespace = format!("raw-{}-{count}-{concurrency}", way as u8);
        server.namespace(&namespace).await;
        server.audit.requests();
        let own = || super::server::cpu(std::process::id());
        let cpu = (own(), server.cpu());
        raw::create(&server.raw, &namespace, way, count, concurrency).await;
        let (client, cpu) = (own() - cpu.0, server.cpu() - cpu.1);
        let requests = server.audit.requests();
        assert_eq!(made(&requests, RAW), count * CHILDREN);
        let time = duration(&requests, RAW);
        println!(
            "  raw client, {way:?}, {count} clusters, {concurrency} at a time: {}",
            self::time(time)
        );
        if best.as_ref().is_none_or(|(_, best)| time < best.time) {
            best = Some((
                concurrency,
                Creation {
                    time,
                    client,
                    server: cpu,
                },
            ));
        }
        server.forget(&[&namespace]).await;
    }
    best.unwrap()
}

fn made(requests: &[Request], account: &str) -> usize {
    let by = |request: &&Request| request.is_by(account) && request.made_child();
    requests.iter().filter(by).count()
}

/// From the first cluster to the last child, by the clock of the API server.
fn duration(requests: &[Request], account: &str) -> Duration {
    let is_cluster =
        |request: &&Request| request.verb == "create" && request.object_ref.resource == "zatoclusters";
    let begin = requests
        .iter()
        .filter(is_cluster)
        .map(|request| request.begin)
        .min();
    let by = |request: &&Request| request.is_by(account) && request.made_child();
    let end = requests.iter().filter(by).map(|request| request.end).max();
    between(begin.unwrap(), end.unwrap())
}

fn between(begin: Timestamp, end: Timestamp) -> Duration {
    Duration::try_from(end.duration_since(begin)).unwrap()
}

fn memory(operator: &Operator, table: &mut Table, what: &str, goal: &str) {
    let [now, own, highest] = operator.memory();
    table.row(
        &format!("{what}: resident memory, without the program's file, highest"),
        format!("{now:.1}, {own:.1}, {highest:.1} MiB"),
        goal,
        "",
    );
}

/// A restart with 1,000 clusters; 2,000 clusters; much that is none of the operator's business.
pub async fn many(server: &mut Server, table: &mut Table) {
    server.namespace("many").await;
    let operator = server.operator().await;
    let (made, _) = by_operator(server, &operator, "many", 0..1000).await;
    table.row("1000 clusters: until all children exist", time(made.time), "", "");
    memory(&operator, table, "1000 clusters", "");
    operator.end().await;
    let operator = restart(server, table, 1000).await;
    memory(&operator, table, "  after that", "");
    by_operator(server, &operator, "many", 1000..2000).await;
    memory(&operator, table, "2000 clusters", "");
    operator.end().await;
    let operator = restart(server, table, 2000).await;
    memory(&operator, table, "  after that", "");
    unrelated(&server.client, "many").await;
    server.audit.settled(OPERATOR).await;
    memory(
        &operator,
        table,
        "  and 5000 unrelated Secrets and ConfigMaps each",
        "",
    );
    operator.end().await;
    let operator = restart(server, table, 2000).await;
    memory(&operator, table, "  after that, with the unrelated ones", "");
    // The last part: all of it goes with the API server.
    operator.end().await;
}

async fn restart(server: &mut Server, table: &mut Table, count: usize) -> Operator {
    server.audit.requests();
    let (begin, stamp) = (Instant::now(), Timestamp::now());
    let operator = server.operator().await;
    while operator.reconciled().await < count {
        assert!(
            begin.elapsed() < Duration::from_mins(2),
            "not all were reconciled"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let done = begin.elapsed();
    let cpu = operator.cpu();
    let requests = server.audit.settled(OPERATOR).await;
    let is_list = |request: &&Request| request.is_by(OPERATOR) && request.verb == "list";
    let synced = requests.iter().filter(is_list).map(|request| request.end).max();
    let tally = Tally::of(&requests, OPERATOR);
    table.row(
        &format!("restart with {count} clusters: last list, all reconciled"),
        format!("{}, {}", time(between(stamp, synced.unwrap())), time(done)),
        if count == 1000 { "goal 1 s, 2 s" } else { "" },
        "",
    );
    table.row(
        "  writes, reads, lists; CPU",
        format!(
            "{}, {}, {}; {}",
            tally.writes(),
            tally.reads(),
            tally.lists,
            time(cpu)
        ),
        "goal 0, 0",
        "",
    );
    operator
}

/// Objects of others, of 1 KiB each.
async fn unrelated(client: &Client, namespace: &str) {
    let secrets = Api::<Secret>::namespaced(client.clone(), namespace);
    let maps = Api::<ConfigMap>::namespaced(client.clone(), namespace);
    let text = "x".repeat(1024);
    let one = |number: usize| {
        let (secrets, maps, text) = (secrets.clone(), maps.clone(), text.clone());
        async move {
            let metadata = json!({"name": format!("unrelated-{number}"), "labels": {"app.kubernetes.io/managed-by": "Helm"}});
            let secret =
                serde_json::from_value(json!({"metadata": metadata, "stringData": {"a": text}})).unwrap();
            let map = serde_json::from_value(json!({"metadata": metadata, "data": {"a": text}})).unwrap();
            secrets.create(&PostParams::default(), &secret).await.unwrap();
            maps.create(&PostParams::default(), &map).await.unwrap();
        }
    };
    stream::iter(0..UNRELATED).for_each_concurrent(32, one).await;
}
