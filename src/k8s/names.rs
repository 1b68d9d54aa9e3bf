//! The names of a cluster's children. A cluster's name has at most 35 characters, so that all of them are valid.

/// The keys and passwords. Created once, kept when the cluster is deleted.
pub fn credentials(cluster: &str) -> String {
    format!("{cluster}-zato")
}
/// The cluster whose credentials a Secret of this name is.
pub fn cluster_of_credentials(secret: &str) -> Option<&str> {
    secret.strip_suffix("-zato")
}
/// The index that agents watch, and the agents' ServiceAccount, Role and RoleBinding.
pub fn agent(cluster: &str) -> String {
    format!("{cluster}-agent")
}
/// One shard of the code.
pub fn code(cluster: &str, shard: usize) -> String {
    format!("{cluster}-code-{shard}")
}
/// All shards that a cluster can have.
pub fn shards(cluster: &str) -> impl Iterator<Item = String> {
    (0..crate::cluster::shards::COUNT).map(move |shard| code(cluster, shard))
}
/// The StatefulSet and the headless Service of the servers.
pub fn server(cluster: &str) -> String {
    format!("{cluster}-server")
}
/// The cluster whose StatefulSet has this name.
pub fn cluster_of_servers(stateful_set: &str) -> Option<&str> {
    stateful_set.strip_suffix("-server")
}
/// One server's pod, which is also the name of the server in Zato.
pub fn server_pod(cluster: &str, ordinal: usize) -> String {
    format!("{cluster}-server-{ordinal}")
}
/// One server's report.
pub fn report(cluster: &str, ordinal: usize) -> String {
    format!("{cluster}-server-{ordinal}-report")
}
/// The volume of the SQLite database. Kept when the cluster is deleted.
pub fn data(cluster: &str) -> String {
    format!("{cluster}-data")
}
/// One version of the OpenAPI document of all services of a cluster. No ZatoService has one of this name: what follows
/// `-openapi-` is a number there.
pub fn cluster_document(cluster: &str, version: i64) -> String {
    format!("{cluster}-openapi-all-{version}")
}
/// One version of the OpenAPI document of a ZatoService.
pub fn service_document(service: &str, version: i64) -> String {
    format!("{service}-openapi-{version}")
}
/// A revision of a ZatoService's files.
pub fn revision(service: &str, revision: &str) -> String {
    format!("{service}-revision-{revision}")
}
/// The Job that makes Zato's tables in a database, by the hash of what it does.
pub fn database(cluster: &str, hash: &str) -> String {
    format!("{cluster}-database-{hash}")
}
/// The Service that lists the servers which are ready, one by one.
pub fn ready_servers(cluster: &str) -> String {
    format!("{cluster}-servers")
}
/// The StatefulSet and the Service of the scheduler.
pub fn scheduler(cluster: &str) -> String {
    format!("{cluster}-scheduler")
}
/// The configuration of the load balancer, and its Deployment.
pub fn load_balancer(cluster: &str) -> String {
    format!("{cluster}-load-balancer")
}
/// The startup callables with these contents.
pub fn startup(cluster: &str, hash: &str) -> String {
    format!("{cluster}-startup-{hash}")
}
/// The Service of the dashboard, and its Deployment.
pub fn dashboard(cluster: &str) -> String {
    format!("{cluster}-dashboard")
}
/// The Service of the load balancer: the cluster's address.
pub fn api(cluster: &str) -> String {
    cluster.to_owned()
}
