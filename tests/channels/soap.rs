//! Services that clients of SOAP call.

use k8s_openapi::api::core::v1::ConfigMap;
use zato_operator::agent::soap;
use zato_operator::cluster::desired::paths;

use super::*;

/// The example for SOAP: envelopes go in and come out, the WSDL is published, a channel calls its services alone, also while the code
/// changes, and at the end row and file are gone.
#[tokio::test]
async fn services_are_called_by_soap() {
    let space = Namespace::new("soap").await;
    space
        .create::<ZatoCluster>(&cluster("c", json!({})))
        .await
        .unwrap();
    space
        .create::<Secret>(&example_of("soap", "client.yaml"))
        .await
        .unwrap();
    let orders = example_of("soap", "service.yaml");
    space.create::<ZatoService>(&orders).await.unwrap();
    until_ready(&space, "True", "Running").await;
    let told = async |words: &str| {
        until_service_told(&space, "order-desk", "ChannelsActive", "AllActive", words).await;
    };
    told("channel soap answers").await;
    until_service(&space, "order-desk", "Ready", |ready| ready.status == "True").await;
    let status = space.get::<ZatoService>("order-desk").await.status.unwrap();
    let url = format!("http://c.{}.svc:11223/soap/orders", space.name());
    let endpoint = &status.endpoints[0];
    assert_eq!(
        (
            endpoint.url.as_str(),
            endpoint.state.as_str(),
            endpoint.methods.len()
        ),
        (url.as_str(), "Active", 1)
    );
    let published = async |words: &str| {
        space
            .until("the WSDL is published", || async {
                let status = space
                    .get::<ZatoService>("order-desk")
                    .await
                    .status
                    .unwrap_or_default();
                let Some(document) = status.openapi else {
                    return false;
                };
                let data = space
                    .get::<ConfigMap>(&document.config_map)
                    .await
                    .data
                    .unwrap_or_default();
                data.get("services.wsdl").is_some_and(|wsdl| wsdl.contains(words))
            })
            .await;
    };
    published(&format!("location=\"{url}\"")).await;

    let way = Way::to(&space, "service/c", 11223).await;
    let envelope = |operation: &str, inside: &str| {
        format!(
            "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Body><n:{operation}Request \
             xmlns:n=\"urn:zato:services\">{inside}</n:{operation}Request></e:Body></e:Envelope>"
        )
    };
    let line = "<n:lines><n:article>pen</n:article><n:count>3</n:count></n:lines>";
    let order = envelope(
        "order.place",
        &format!("<n:customer>Ann</n:customer>{line}{line}"),
    );
    let client = ("order-client", "change-me");
    let call = async |login, text: &str| way.post("/soap/orders", login, text.to_owned()).await;
    let (code, kind, text) = call(client, &order).await;
    assert_eq!((code, kind.as_str()), (200, "text/xml; charset=utf-8"), "{text}");
    assert!(
        text.contains("<t:number>7</t:number><t:articles>6</t:articles>"),
        "{text}"
    );
    for (login, text, wanted, words) in [
        (("order-client", "wrong"), &order, 401, ""),
        (("pubapi", way.password()), &order, 401, ""),
        (
            client,
            &envelope("order.place", "<n:customer>Ann</n:customer>"),
            500,
            "An order needs a line",
        ),
        (
            client,
            &envelope("order.cancel", "<n:number>7</n:number>"),
            500,
            "is unknown here",
        ),
        (client, &format!("<!DOCTYPE x>{order}"), 500, "DOCTYPE"),
        (client, &"{}".to_owned(), 500, "Client"),
    ] {
        let (code, _, text) = call(login, text).await;
        assert!(code == wanted && text.contains(words), "{login:?}: {code} {text}");
    }
    assert_eq!(
        way.call("GET", "/soap/orders", Login::Basic(client.0, client.1))
            .await
            .0,
        404
    );
    assert_eq!(
        way.call(
            "POST",
            "/zato/api/invoke/zato-operator.soap",
            Login::Basic("pubapi", way.password())
        )
        .await
        .0,
        400
    );

    let files = space.exec("c-server-0", "server", &["ls", paths::HOT]);
    assert!(files.contains(soap::FILE), "{files}");

    // Another service for the same channel, while callers call.
    let is_done = Arc::new(AtomicBool::new(false));
    let callers = tokio::spawn({
        let (way, is_done, order) = (
            Way::to(&space, "service/c", 11223).await,
            is_done.clone(),
            order.clone(),
        );
        async move {
            while !is_done.load(Ordering::Relaxed) {
                let (code, _, text) = way
                    .post("/soap/orders", ("order-client", "change-me"), order.clone())
                    .await;
                assert_eq!(code, 200, "{text}");
            }
        }
    });
    let mut channel = orders["spec"]["channels"].clone();
    channel[0]["soap"]["services"] = json!(["order.place", "order.cancel"]);
    set_channels(&space, "order-desk", &channel).await;
    published("order.cancelRequest").await;
    told("channel soap answers").await;
    let (code, _, text) = call(client, &envelope("order.cancel", "<n:number>7</n:number>")).await;
    assert!(
        code == 200 && text.contains("<t:status>cancelled</t:status>"),
        "{text}"
    );
    is_done.store(true, Ordering::Relaxed);
    callers.await.unwrap();

    set_channels(&space, "order-desk", &json!([])).await;
    space
        .until("the address is gone", || async {
            call(client, &order).await.0 == 404
        })
        .await;
    space
        .until("the file is gone", || async {
            let files = space.exec("c-server-0", "server", &["ls", paths::HOT]);
            !files.contains(soap::FILE) && files.contains("orders.py")
        })
        .await;
    space.delete().await;
}
