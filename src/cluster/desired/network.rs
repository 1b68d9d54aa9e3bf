//! How a cluster is reached: its Services.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{metadata, ports};
use crate::cluster::plan::Plan;
use crate::exchange::IndexedService;
use crate::k8s::{labels, names};

/// Gives the servers their stable names.
pub(super) fn servers(plan: &Plan) -> Service {
    let mut service = service(plan, names::server(&plan.name), "server", "http", ports::SERVER);
    let spec = service.spec.get_or_insert_default();
    spec.cluster_ip = Some("None".into());
    // They find each other before they are ready.
    spec.publish_not_ready_addresses = Some(true);
    service
}

/// A Service's name in the DNS, from any namespace.
pub fn host(service: &str, namespace: &str) -> String {
    format!("{service}.{namespace}.svc")
}

/// Where the services of a cluster are reached, from inside the Kubernetes cluster.
pub fn address(cluster: &str, namespace: &str) -> String {
    format!("http://{}:{}", host(&names::api(cluster), namespace), ports::API)
}

/// Where WebSocket clients of a cluster connect, by the cluster's address: past the load balancer, to the server itself.
pub fn web_socket_address(address: &str, port: u16) -> String {
    let host = address.trim_start_matches("http://");
    let host = host.split(':').next().unwrap_or_default();
    format!("ws://{host}:{port}")
}

/// The cluster's address, with a port for each WebSocket channel that servers are told of.
pub(super) fn api(plan: &Plan) -> Service {
    let mut service = service(plan, names::api(&plan.name), "load-balancer", "http", ports::API);
    let web_sockets: BTreeSet<_> = plan
        .index
        .services
        .values()
        .flat_map(IndexedService::ports)
        .collect();
    let all = service.spec.get_or_insert_default().ports.get_or_insert_default();
    all.extend(
        web_sockets
            .into_iter()
            .map(|number| port(&format!("ws-{number}"), number.into())),
    );
    service
}

pub(super) fn dashboard(plan: &Plan) -> Service {
    service(
        plan,
        names::dashboard(&plan.name),
        "dashboard",
        "http",
        ports::DASHBOARD,
    )
}

/// The scheduler of a Distributed cluster, where servers find it.
pub(super) fn scheduler(plan: &Plan) -> Service {
    service(
        plan,
        names::scheduler(&plan.name),
        "scheduler",
        "http",
        ports::SCHEDULER,
    )
}

/// The servers that are ready, one by one: the load balancers ask for them, scheduler and dashboard call one of them.
pub(super) fn ready_servers(plan: &Plan) -> Service {
    let mut service = service(
        plan,
        names::ready_servers(&plan.name),
        "server",
        "http",
        ports::SERVER,
    );
    service.spec.get_or_insert_default().cluster_ip = Some("None".into());
    service
}

/// In a Quickstart cluster all of them lead to the one pod, also while it is not ready: there is no other server, and a broken
/// dashboard must not close the API.
fn service(plan: &Plan, name: String, component: &str, port: &str, number: i32) -> Service {
    let is_quickstart = plan.database.is_none();
    let pods = if is_quickstart { "server" } else { component };
    Service {
        metadata: metadata(plan, name, component),
        spec: Some(ServiceSpec {
            selector: Some(labels::selector(&plan.name, pods)),
            publish_not_ready_addresses: is_quickstart.then_some(true),
            ports: Some(vec![self::port(port, number)]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

fn port(name: &str, number: i32) -> ServicePort {
    ServicePort {
        name: Some(name.into()),
        port: number,
        target_port: Some(IntOrString::Int(number)),
        ..ServicePort::default()
    }
}
