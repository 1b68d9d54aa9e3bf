//! Services that a client of their own invokes by their names.

use super::*;

/// A client of its own for all services of an object at `/zato/api/invoke/<service>`, and for no others: who may call and who
/// not, a service that comes, and the end.
#[tokio::test]
async fn services_are_invoked_by_a_client_of_their_own() {
    let space = support::start("direct", json!({})).await;
    let other = support::code("other").replace("story.greeting", "story.other");
    let other = service("other", "c", &[("other.py", &other)]);
    space.create::<ZatoService>(&other).await.unwrap();
    until_service_told(&space, "other", "Ready", "Deployed", "").await;
    space.create::<Secret>(&example("key.yaml")).await.unwrap();
    let direct = json!([{"name": "direct", "directInvocation": {"security": {"apiKeySecretRef": {"name": "report-key"}}}}]);
    set_channels(&space, "greeting", &direct).await;
    let told = async |words: &str| {
        until_service_told(&space, "greeting", "ChannelsActive", "AllActive", words).await;
    };
    told("channel direct answers").await;
    let lost = "direct invocation: SecurityTightened: user pubapi -> ApiKey";
    until_service_told(&space, "greeting", "Compatible", "BreakingChange", lost).await;
    let status = space.get::<ZatoService>("greeting").await.status.unwrap();
    let url = format!(
        "http://c.{}.svc:11223/zato/api/invoke/{{service_name}}",
        space.name()
    );
    assert_eq!(status.endpoints[0].url, url);

    let way = Way::to(&space, "service/c", 11223).await;
    let client = Login::Key("change-me-too");
    let pubapi = Login::Basic("pubapi", way.password());
    for (method, path, login, wanted) in [
        ("POST", "/zato/api/invoke/story.greeting", client, 200),
        ("GET", "/zato/api/invoke/story.greeting", client, 200),
        (
            "POST",
            "/zato/api/invoke/story.greeting",
            Login::Key("wrong"),
            401,
        ),
        ("POST", "/zato/api/invoke/story.greeting", Login::Nobody, 401),
        ("POST", "/zato/api/invoke/story.greeting", pubapi, 401),
        ("PUT", "/zato/api/invoke/story.greeting", pubapi, 401),
        ("POST", "/zato/api/invoke/story.other", client, 401),
        ("POST", "/zato/api/invoke/story.other", pubapi, 200),
        ("POST", "/zato/api/invoke/story.greeting/", client, 404),
    ] {
        let (status, body) = way.call(method, path, login).await;
        assert_eq!(status, wanted, "{method} {path} {login:?}: {body}");
    }
    // Zato would take the name in the query string for the service, also for its own user at another name.
    for query in [
        "service_name=story.greeting",
        "a=1&service%5Fname=story.greeting",
        "a=%&service_name=story.greeting",
        "a=%zz&service_name=story.greeting",
        "a=%u0041&service%5Fname=story.greeting",
    ] {
        let url = format!("{}/zato/api/invoke/story.other?{query}", way.url());
        let login = format!("pubapi:{}", way.password());
        let curl = std::process::Command::new("curl")
            .args(["-s", "-w", "%{http_code}", "-u", &login, &url])
            .output()
            .unwrap();
        let said = String::from_utf8(curl.stdout).unwrap();
        assert!(
            said.ends_with("400") && said.contains("query string"),
            "{query}: {said}"
        );
    }
    let other = "/zato/api/invoke/story.other?my_service_name=x&q=%20service_name";
    assert_eq!(way.call("GET", other, pubapi).await.0, 200);

    // A service more.
    let more = format!(
        "{}\n\n{}",
        support::code("hello"),
        support::code("more")
            .replace("story.greeting", "story.more")
            .replace("class Greeting", "class More")
    );
    support::set_code(&space, &more).await;
    space
        .until("the new service is invoked by the client alone", || async {
            let path = "/zato/api/invoke/story.more";
            way.call("POST", path, client).await.0 == 200 && way.call("POST", path, pubapi).await.0 == 401
        })
        .await;
    told("channel direct answers").await;

    set_channels(&space, "greeting", &json!([])).await;
    space
        .until("Zato's own user invokes them again", || async {
            let path = "/zato/api/invoke/story.greeting";
            way.call("POST", path, client).await.0 == 401 && way.call("POST", path, pubapi).await.0 == 200
        })
        .await;
    space.delete().await;
}
