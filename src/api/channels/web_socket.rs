//! Ports for WebSocket clients.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::Security;

/// A port for WebSocket clients, whose messages all go to one service.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!(self.port in [8183, 11223, 17010, 31530]) && !(self.port >= 17050 && self.port < 17100)").message("8183, 11223, 17010, 31530, and 17050 to 17099 are ports of Zato and of the operator: choose another port").field_path(".port"))]
#[x_kube(validation = Rule::new("self.path.matches('^(/[A-Za-z0-9_~-]+)+$')").message("path begins with a slash and does not end with one; each part has letters, digits, _ ~ - only: a WebSocket has no parameters").field_path(".path"))]
#[x_kube(validation = Rule::new("!has(self.security.apiKeySecretRef)").message("Zato gives nobody a session on a WebSocket that an API key closes: use basicAuthSecretRef").field_path(".security"))]
pub struct WebSocketChannel {
    /// The service, one that the files of this `ZatoService` define.
    #[schemars(length(min = 1, max = 200))]
    pub service: String,
    /// The port, of this channel alone in its cluster.
    #[schemars(range(min = 1024, max = 65535))]
    pub port: i32,
    /// The path, without parameters.
    #[schemars(length(min = 1, max = 120))]
    pub path: String,
    /// Who is given a session: exactly one of `basicAuthSecretRef` and `none: {}`.
    pub security: Security,
    /// Seconds between two pings of the server. A client that does not answer two of them is cut off.
    #[serde(default = "ping_interval")]
    #[schemars(range(min = 5, max = 3600))]
    pub ping_interval_seconds: i32,
    /// Seconds for which the token of a session is good. Each ping that is answered adds the time between two pings.
    #[serde(default = "token")]
    #[schemars(range(min = 60, max = 604_800))]
    pub token_seconds: i32,
}

fn ping_interval() -> i32 {
    30
}

fn token() -> i32 {
    3600
}

#[cfg(test)]
mod tests {
    use kube::CustomResourceExt;

    use crate::api::ZatoService;
    use crate::cluster::desired::ports;

    /// A port that a part of the pod listens on would be two listeners', of which a client reaches one by chance.
    #[test]
    fn ports_of_the_pod_are_refused() {
        let schema = serde_json::to_string(&ZatoService::crd()).unwrap();
        let rule = schema.split("self.port in [").nth(1).unwrap();
        let listed: Vec<i32> = rule
            .split(']')
            .next()
            .unwrap()
            .split(", ")
            .map(|port| port.parse().unwrap())
            .collect();
        for port in [
            ports::API,
            ports::SERVER,
            ports::SCHEDULER,
            ports::DASHBOARD,
            ports::AGENT,
        ] {
            assert!(listed.contains(&port) || (17050..17100).contains(&port), "{port}");
        }
    }
}
