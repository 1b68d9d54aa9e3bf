//! How a cluster is reached: Services, and the rules of the load balancer.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{ConfigMap, Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{metadata, ports};
use crate::cluster::plan::Plan;
use crate::exchange::IndexedService;
use crate::k8s::{labels, names};

/// The file's name in its ConfigMap.
pub(super) const CONFIGURATION_FILE: &str = "haproxy.cfg";

/// Of Zato's own paths only ping and the invoke path pass, and of all others those that channels can have, in their plain
/// form: nothing that is doubled or dotted, and encoded only what must be, so that a path is what it looks like. No colon: Zato
/// looks for a path behind three of them, wherever they stand.
const HAPROXY: &str = "\
global
    maxconn 1000
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    option forwardfor
    # The server closes idle connections without notice: one that breaks before a byte came back is tried anew.
    retry-on conn-failure empty-response
    retries 3
frontend api
    bind :11223
    monitor-uri /zato-lb-alive
    acl is_ping path /zato/ping
    acl is_invoke path_reg ^/zato/api/invoke/[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*$
    acl is_of_zato path_reg -i ^/(zato|ide-deploy)(/|$)
    acl is_plain path_reg -i ^(/([a-z0-9._~$=-]|%(2[0-46-9a-c]|3[b-f]|40|5[bde]|60|7[b-d]|[89a-f][0-9a-f]))+)+$
    acl is_dotted path_reg /[.]{1,2}(/|$)
    http-request return status 404 content-type text/plain string \"Not found\" unless is_ping || is_invoke || is_plain !is_of_zato !is_dotted
    # A name in the query string would count in place of the one in the path, which tells who may call. What cannot be decoded
    # here is not known to have none.
    acl has_query query -m found
    acl is_decodable query,url_dec(1) -m found
    acl names_another query,url_dec(1) -m reg (^|[&;])service_name=
    http-request return status 400 content-type text/plain string \"service_name in the query string: call the path of that service\" if is_invoke names_another
    http-request return status 400 content-type text/plain string \"the query string has a percent sign without two hexadecimal digits\" if is_invoke has_query !is_decodable
    http-request set-var(txn.is_invoke) bool(true) if is_invoke
    acl was_invoke var(txn.is_invoke) -m bool
    acl is_text res.hdr(Content-Type) -m beg text/plain
    # What services answer on this path is JSON, and Zato calls it text.
    http-response set-header Content-Type application/json if was_invoke is_text { status 200 }
    default_backend servers
backend servers
    server server-0 127.0.0.1:17010
";

pub(super) fn configuration(plan: &Plan) -> ConfigMap {
    ConfigMap {
        metadata: metadata(plan, names::load_balancer(&plan.name), "load-balancer"),
        data: Some(BTreeMap::from([(CONFIGURATION_FILE.into(), HAPROXY.into())])),
        ..ConfigMap::default()
    }
}

/// Gives the servers their stable names.
pub(super) fn servers(plan: &Plan) -> Service {
    let mut service = service(plan, names::server(&plan.name), "server", "http", ports::SERVER);
    service.spec.get_or_insert_default().cluster_ip = Some("None".into());
    service
}

/// Where the services of a cluster are reached, from inside the Kubernetes cluster.
pub fn address(cluster: &str, namespace: &str) -> String {
    format!("http://{}.{namespace}.svc:{}", names::api(cluster), ports::API)
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

/// All of them lead to the one pod, also while it is not ready: there is no other server, and a broken dashboard must
/// not close the API.
fn service(plan: &Plan, name: String, component: &str, port: &str, number: i32) -> Service {
    Service {
        metadata: metadata(plan, name, component),
        spec: Some(ServiceSpec {
            selector: Some(labels::selector(&plan.name, "server")),
            publish_not_ready_addresses: Some(true),
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
