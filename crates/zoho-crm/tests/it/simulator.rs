//! The client against the simulator, whose counters say what really happened.

use futures_util::future::join_all;
use serde_json::json;
use zoho_crm::{Converted, Credentials, Error, RecordQuery, Settings};
use zoho_sim::{Fault, Kind, On, What};

use crate::support::sim::{client, client_with, settings, simulator};

fn leads<'a>(ids: &'a [&'a str]) -> RecordQuery<'a> {
    RecordQuery {
        module: "Leads",
        ids,
        fields: &["Last_Name", "Modified_Time"],
        converted: Converted::Hidden,
    }
}

#[tokio::test]
async fn records_are_read_by_ids_and_alone() {
    let sim = simulator().await;
    let client = client(&sim);
    let one = sim.insert("Leads", json!({"Last_Name": "Doe"})).unwrap();
    let two = sim.insert("Leads", json!({"Last_Name": "Roe"})).unwrap();
    let gone = sim.insert("Leads", json!({"Last_Name": "Poe"})).unwrap();
    sim.delete("Leads", &[&gone]).unwrap();

    let ids = [one.as_str(), &two, &gone];
    let listed = client.records(&leads(&ids)).await.unwrap();
    let mut names: Vec<_> = listed
        .records
        .iter()
        .map(|it| {
            (
                it["id"].as_str().unwrap(),
                it["Last_Name"].as_str().unwrap(),
            )
        })
        .collect();
    names.sort_unstable();
    let mut expected = vec![(one.as_str(), "Doe"), (two.as_str(), "Roe")];
    expected.sort_unstable();
    assert_eq!(names, expected);

    let alone = client.record("Leads", &one).await.unwrap().record.unwrap();
    assert_eq!(alone["Last_Name"], "Doe");
    assert_eq!(client.record("Leads", &gone).await.unwrap().record, None);
    let nothing = client.records(&leads(&[&gone])).await.unwrap();
    assert_eq!(nothing.records, vec![]);
}

#[tokio::test]
async fn fields_are_what_the_module_has() {
    let sim = simulator().await;
    let fields = client(&sim).fields("Leads").await.unwrap();
    for name in ["Last_Name", "Company", "Email", "Modified_Time", "Owner"] {
        let field = fields.iter().find(|it| it.api_name == name);
        assert!(field.is_some_and(|it| !it.data_type.is_empty()), "{name}");
    }
    let unknown = client(&sim).fields("Nothing").await.unwrap_err();
    assert_eq!(unknown.retry_after(), None, "{unknown}");
}

#[tokio::test]
async fn tokens_that_expire_under_200_concurrent_calls_cost_one_request() {
    let sim = simulator().await;
    let client = client(&sim);
    let id = sim.insert("Leads", json!({"Last_Name": "Doe"})).unwrap();
    let ids = [id.as_str()];
    for round in 1..=3 {
        let query = leads(&ids);
        let results = join_all((0..200).map(|_| client.records(&query))).await;
        assert!(results.iter().all(Result::is_ok));
        assert_eq!(sim.counters().token_requests(), round);
        sim.expire_access_tokens();
    }
    assert!(sim.counters().concurrent_max <= 10);
    assert_eq!(sim.counters().refused_for_concurrency, 0);
}

#[tokio::test]
async fn refused_credentials_are_asked_about_once() {
    let sim = simulator().await;
    let good = settings(&sim).credentials;
    let cases = [
        Credentials {
            refresh_tokens: vec!["1000.revoked".into()],
            ..good.clone()
        },
        Credentials {
            client_secrets: vec!["wrong".into()],
            ..good.clone()
        },
        Credentials {
            client_id: "1000.OTHER".into(),
            ..good
        },
    ];
    for (before, credentials) in (0..).zip(cases) {
        let client = client_with(Settings {
            credentials,
            ..settings(&sim)
        });
        for _ in 0..5 {
            let failed = client.records(&leads(&["1"])).await.unwrap_err();
            assert!(matches!(failed, Error::Unauthorized { .. }), "{failed}");
        }
        assert_eq!(sim.counters().token_requests(), before + 1);
    }
    assert_eq!(sim.counters().calls(Kind::ReadIds), 0);
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let sim = simulator().await;
    let client = client(&sim);
    let id = sim.insert("Leads", json!({"Last_Name": "Doe"})).unwrap();
    for what in [
        What::TooManyRequests,
        What::Status(500),
        What::DropConnection,
        What::InvalidToken,
    ] {
        let fault = Fault {
            on: On::Read,
            what,
            times: Some(1),
            chance: 1.0,
        };
        assert!(sim.faults().add(fault));
        client.records(&leads(&[&id])).await.unwrap();
    }
    assert_eq!(sim.counters().faults, 4);
    assert_eq!(
        sim.counters().token_requests(),
        2,
        "one for the rejected token"
    );
}
