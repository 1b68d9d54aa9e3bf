//! The servers of a cluster, as its database has them.

use serde_json::json;

use super::{Error, Server, ServerRow, rows};

impl Server {
    /// All servers of the cluster, those that are gone, too.
    pub async fn servers(&self) -> Result<Vec<ServerRow>, Error> {
        let service = "zato.server.get-list";
        rows(service, self.invoke(service, &json!({"cluster_id": 1})).await?)
    }

    /// Deletes the row of another server. One that is asked to delete itself refuses.
    pub async fn delete_server(&self, id: i64) -> Result<(), Error> {
        self.invoke("zato.server.delete", &json!({"id": id}))
            .await
            .map(drop)
    }
}
