//! Who has which name, and what fits.

use super::*;
use crate::agent::removal;
use crate::api::OpenApi;
use rstest::rstest;

pub(in crate::service) fn service(name: &str, files: &[(&str, &str)]) -> Sourced {
    let owned = |(file, text): &(&str, &str)| ((*file).to_owned(), (*text).to_owned());
    Sourced {
        name: name.into(),
        files: Ok(files.iter().map(owned).collect()),
        git: None,
        openapi: OpenApi::default(),
        expected: vec![],
        channels: vec![],
        jobs: vec![],
        read: k8s_openapi::jiff::Timestamp::UNIX_EPOCH,
        secrets: BTreeMap::new(),
        is_distributed: false,
    }
}

pub(in crate::service) fn named(name: &str) -> String {
    format!("class A(Service):\n    name = '{name}'\n")
}

#[test]
fn the_older_of_two_services_keeps_the_file() {
    let services = [
        service("old", &[("a.py", "x = 1\n")]),
        service("new", &[("a.py", "x = 2\n"), ("b.py", "")]),
    ];
    let all = checked(&services, &Index::default());
    assert!(all[0].result.is_ok());
    let refusal = all[1].result.clone().unwrap_err();
    assert_eq!(
        refusal,
        Refusal::FileNameTaken {
            file: "a.py".into(),
            other: "old".into()
        }
    );
}

#[test]
fn the_older_of_two_services_keeps_the_service_name() {
    let (mine, other) = (named("api.x"), named("api.y"));
    let services = [
        service("old", &[("a.py", &mine)]),
        service("new", &[("b.py", &other), ("c.py", &mine)]),
    ];
    let all = checked(&services, &Index::default());
    assert!(all[0].result.is_ok());
    let refusal = all[1].result.clone().unwrap_err().to_string();
    assert_eq!(
        refusal,
        "c.py defines service api.x, which a.py of ZatoService old defines, too: rename one of them"
    );
    let twice = [service("s", &[("a.py", &mine), ("b.py", &mine)])];
    assert!(matches!(
        checked(&twice, &Index::default())[0].result,
        Err(Refusal::ServiceNameTaken { .. })
    ));
}

fn deployed(services: &[Sourced]) -> Index {
    let all = checked(services, &Index::default());
    Index::sealed(all.into_iter().map(|c| (c.name, c.result.unwrap())).collect())
}

/// Else a kept version and a new one would meet under one name, and no server could have both.
#[test]
fn what_is_deployed_keeps_its_names_until_it_is_replaced() {
    let text = named("api.x");
    let before = deployed(&[service("old", &[("a.py", &text)])]);
    let renamed_and_broken = service("old", &[("b.py", "(")]);
    for (file, text) in [("a.py", "x = 1\n"), ("c.py", text.as_str())] {
        let services = [renamed_and_broken.clone(), service("new", &[(file, text)])];
        assert!(checked(&services, &before)[1].result.is_err(), "{file}");
    }
    // An older service does not push a deployed one out either.
    let services = [
        service("older", &[("z.py", &text)]),
        service("old", &[("a.py", &text)]),
    ];
    let all = checked(&services, &before);
    assert!(all[0].result.is_err() && all[1].result.is_ok());
    // Once its owner has gone, or has another version deployed, the name is free.
    let new = [service("new", &[("a.py", &text)])];
    assert!(checked(&new, &before)[0].result.is_ok());
    let other = named("api.y");
    let moved = [
        service("old", &[("b.py", &other)]),
        service("new", &[("a.py", &text)]),
    ];
    assert!(checked(&moved, &before)[1].result.is_err());
    assert!(checked(&moved, &deployed(&moved[..1]))[1].result.is_ok());
}

#[test]
fn a_name_of_zatos_own_is_refused() {
    let text = named("zato.ping");
    let services = [service("s", &[("a.py", &text)])];
    assert!(matches!(
        checked(&services, &Index::default())[0].result,
        Err(Refusal::InternalName { .. })
    ));
}

#[test]
fn one_bad_file_refuses_the_whole_service() {
    let services = [service("s", &[("a.py", "x = 1\n"), ("b.py", "def (:\n")])];
    assert!(matches!(
        checked(&services, &Index::default())[0].result,
        Err(Refusal::Syntax(_))
    ));
}

#[test]
fn code_that_does_not_fit_is_refused_and_leaves_room_for_what_is_deployed() {
    let text = "#".repeat(200_000);
    let of = |name: &str, count: usize| {
        let names: Vec<String> = (0..count).map(|n| format!("{name}{n}.py")).collect();
        let files: Vec<_> = names.iter().map(|file| (file.as_str(), text.as_str())).collect();
        service(name, &files)
    };
    let services = [of("new", 3), of("deployed", 30)];
    let before = deployed(&services[1..]);
    let all = checked(&services, &before);
    assert!(matches!(all[0].result, Err(Refusal::TooMuchCode(..))));
    assert!(all[1].result.is_ok());
    assert!(
        checked(&services[..1], &before)[0].result.is_ok(),
        "its room is free again"
    );
}

#[test]
fn a_file_that_is_too_large_is_refused() {
    let refused = |bytes: u64| {
        let text = "#".repeat(usize::try_from(bytes).unwrap());
        let services = [service("s", &[("a.py", &text)])];
        checked(&services, &Index::default())[0].result.clone().err()
    };
    assert_eq!(refused(shards::FILE), None);
    assert_eq!(
        refused(shards::FILE + 1),
        Some(Refusal::FileTooLarge("a.py".into()))
    );
}

#[test]
fn services_of_the_agent_are_not_for_users() {
    for name in [soap::SERVICE, cache::SERVICE] {
        let services = [service("s", &[("a.py", &named(name))])];
        let refusal = checked(&services, &Index::default())[0].result.clone().err();
        let internal = Refusal::InternalName {
            file: "a.py".into(),
            name: name.into(),
        };
        assert_eq!(refusal, Some(internal));
    }
}

#[rstest]
#[case(removal::FILE)]
#[case(packages::FILE)]
#[case(soap::FILE)]
#[case(cache::FILE)]
#[case("zato.extra.py")]
fn files_of_the_agent_and_of_zato_are_not_for_users(#[case] file: &str) {
    let services = [service("s", &[(file, "x = 1\n")])];
    let refusal = checked(&services, &Index::default())[0].result.clone().err();
    assert_eq!(refusal, Some(Refusal::ReservedFile(file.into())));
}

/// Zato deploys none there, whatever looks like one.
#[test]
fn services_in_packages() {
    let of = |text: &str| {
        let services = [service("s", &[("kit.tools.py", text)])];
        checked(&services, &Index::default())[0].result.clone()
    };
    let class = "class A(Service):\n    pass\n";
    assert_eq!(
        of(class),
        Err(Refusal::ServiceInPackage {
            file: "kit.tools.py".into(),
            class: "A".into()
        })
    );
    let version = of("class A(Base):\n    name = 'x'\n").unwrap();
    assert_eq!(version.services().count(), 0);
}

/// In one object and in two, whichever comes first.
#[rstest]
#[case(&[("s", "shop.py shop.prices.py")], Some("s"))]
#[case(&[("s", "shop.prices.py shop.prices.eu.py")], Some("s"))]
#[case(&[("s", "shop.py"), ("t", "shop.prices.py")], Some("s"))]
#[case(&[("s", "shop.prices.py"), ("t", "shop.py")], Some("s"))]
#[case(&[("s", "shop.prices.py"), ("t", "shop.rates.py")], None)]
fn a_module_is_no_package(#[case] objects: &[(&str, &'static str)], #[case] wanted: Option<&str>) {
    let source = |(name, files): &(&str, &'static str)| {
        let files: Vec<_> = files.split(' ').map(|file| (file, "x = 1\n")).collect();
        service(name, &files)
    };
    let all: Vec<_> = objects.iter().map(source).collect();
    let last = checked(&all, &Index::default()).pop().unwrap().result;
    let owner = last.err().map(|refusal| match refusal {
        Refusal::ModuleIsPackage { owner, .. } => owner,
        other => panic!("{other:?}"),
    });
    assert_eq!(owner.as_deref(), wanted);
}

#[test]
fn more_names_than_the_index_holds_are_refused() {
    let names: Vec<String> = (0..9_000).map(|n| format!("file_{n:04}.py")).collect();
    let files: Vec<_> = names.iter().map(|file| (file.as_str(), "")).collect();
    let services = [service("many", &files), service("one", &[("a.py", "x = 1\n")])];
    let all = checked(&services, &Index::default());
    assert!(matches!(all[0].result, Err(Refusal::TooManyNames(names, INDEX_BYTES)) if names > INDEX_BYTES));
    assert!(all[1].result.is_ok());
    let fewer = [service("many", &files[..5_000])];
    assert!(checked(&fewer, &Index::default())[0].result.is_ok());
}

#[test]
fn limits_are_what_still_fits() {
    let full = "#".repeat(200 * 1024);
    let rest = usize::try_from(shards::TOTAL).unwrap() - 30 * full.len();
    let fits = |rest: usize| {
        let names: Vec<String> = (0..31).map(|n| format!("file_{n:02}.py")).collect();
        let rest = "#".repeat(rest);
        let texts = std::iter::repeat_n(full.as_str(), 30).chain([rest.as_str()]);
        let files: Vec<_> = names.iter().map(String::as_str).zip(texts).collect();
        checked(&[service("s", &files)], &Index::default())[0]
            .result
            .is_ok()
    };
    assert!(fits(rest) && !fits(rest + 1));

    // Each character of a file's name is one of the index.
    let version = |longer: usize| {
        let name = |n: usize| format!("file_{n:04}{}.py", "x".repeat(if n == 0 { longer } else { 0 }));
        let names: Vec<String> = (0..5_000).map(name).collect();
        let files: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
        service("s", &files)
    };
    let is_taken = |source: &Sourced| {
        checked(std::slice::from_ref(source), &Index::default())[0]
            .result
            .clone()
    };
    let room = INDEX_BYTES - length(&is_taken(&version(0)).unwrap());
    assert!(is_taken(&version(room)).is_ok() && is_taken(&version(room + 1)).is_err());
}

/// What a version leaves behind for the next one, should that fail, was counted with it.
#[test]
fn what_may_be_put_back_fits_into_the_index() {
    use crate::exchange::{GoodRevision, Hidden, IndexedChannel, IndexedJob, IndexedSecurity};
    let channel = IndexedChannel {
        url_path: "/a".repeat(50),
        security: Some(IndexedSecurity {
            password: Hidden("x".repeat(200)),
            ..IndexedSecurity::default()
        }),
        ..IndexedChannel::default()
    };
    let job = IndexedJob {
        payload: "y".repeat(1000),
        ..IndexedJob::default()
    };
    let names = || (0..20).map(|number| number.to_string());
    let mut version = IndexedService {
        channels: names().map(|name| (name, channel.clone())).collect(),
        jobs: names().map(|name| (name, job.clone())).collect(),
        ..IndexedService::default()
    };
    let counted = length(&version);
    version.good = Some(GoodRevision {
        revision: "0123456789abcdef".into(),
        channels: version.channels.clone(),
        jobs: version.jobs.clone(),
    });
    let bytes = serde_json::to_string(&version).unwrap().len();
    // The names of its own fields are not worth counting.
    assert!(bytes <= counted + 100, "{bytes} {counted}");
}
