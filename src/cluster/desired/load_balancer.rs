//! The load balancer: what it lets pass, and to whom.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;

use super::metadata;
use crate::cluster::plan::Plan;
use crate::k8s::names;

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
";

/// In one pod with the server.
const BESIDE: &str = "\
backend servers
    server server-0 127.0.0.1:17010
";

/// As many servers as their name in the DNS has addresses: those that are ready. One that ends goes on serving until they are
/// asked for again; what it leaves is tried with another one.
const BY_NAME: &str = "\
resolvers kubernetes
    parse-resolv-conf
    resolve_retries 3
    timeout resolve 1s
    timeout retry 1s
    hold valid 1s
    hold obsolete 0s
    accepted_payload_size 8192
backend servers
    balance leastconn
    option redispatch
    server-template server- 20 \"$SERVERS\":17010 resolvers kubernetes init-addr none check inter 1s fall 2 rise 1
";

pub(super) fn configuration(plan: &Plan) -> ConfigMap {
    let servers = if plan.database.is_some() { BY_NAME } else { BESIDE };
    let text = format!("{HAPROXY}{servers}");
    ConfigMap {
        metadata: metadata(plan, names::load_balancer(&plan.name), "load-balancer"),
        data: Some(BTreeMap::from([(CONFIGURATION_FILE.into(), text)])),
        ..ConfigMap::default()
    }
}

/// Starts the load balancer of a Distributed cluster. Its resolver knows whole names only: the domain of the Kubernetes cluster
/// stands in the pod's own configuration.
pub(super) fn start(plan: &Plan, file: &str) -> String {
    let (service, namespace) = (names::ready_servers(&plan.name), &plan.namespace);
    format!(
        "while read -r key domains; do [ \"$key\" = search ] || continue; for domain in $domains; do \
         case $domain in {namespace}.svc.*) export SERVERS={service}.$domain;; esac; done; done < /etc/resolv.conf; \
         exec haproxy -W -db -f {file}"
    )
}
