//! The limits of an org, by the simulator's own counters: what it saw, not what the client believes.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use serde_json::json;
use zoho_crm::{
    Client, Edition, Error, Limits, ListQuery, PageAt, Settings, Sort, SortBy, WriteOptions,
    composite::{Composite, SubRequest},
    convert::Conversion,
    coql::Select,
    search::{By, Search},
};
use zoho_sim::Sim;

use crate::{
    records::values,
    support::sim::{client_with, settings},
};

/// So that calls pile up.
const LATENCY: Duration = Duration::from_millis(20);

async fn org(edition: zoho_sim::Edition, daily_credits: u64) -> Sim {
    // Only the first test of the process installs it.
    drop(rustls::crypto::ring::default_provider().install_default());
    let settings = zoho_sim::Settings {
        edition,
        daily_credits,
        latency: LATENCY,
        ..zoho_sim::Settings::on_loopback()
    };
    Sim::start(settings).await.unwrap()
}

fn client(sim: &Sim, limits: Limits) -> Client {
    client_with(Settings {
        limits,
        ..settings(sim)
    })
}

async fn light(client: &Client) -> Result<(), Error> {
    let query = ListQuery::of("Leads", &["Last_Name"]);
    client.list_page(&query, PageAt::Number(1)).await.map(drop)
}

async fn heavy(client: &Client) -> Result<(), Error> {
    let sort = Some(Sort {
        by: SortBy::ModifiedTime,
        ascending: true,
    });
    let query = ListQuery {
        sort,
        ..ListQuery::of("Leads", &["Last_Name"])
    };
    client.list_page(&query, PageAt::Number(1)).await.map(drop)
}

#[tokio::test]
async fn two_hundred_calls_at_once_never_exceed_either_limit() {
    let sim = org(zoho_sim::Edition::Ultimate, 1_000_000).await;
    sim.insert("Leads", json!({"Last_Name": "Doe"})).unwrap();
    let limits = Limits::for_edition(Edition::Ultimate);
    let client = Arc::new(client(&sim, limits));
    let calls = (0..200).map(|n| {
        let client = Arc::clone(&client);
        async move {
            match n % 2 {
                0 => light(&client).await,
                _ => heavy(&client).await,
            }
        }
    });
    for result in join_all(calls).await {
        result.unwrap();
    }
    let seen = sim.counters();
    assert_eq!(seen.concurrent_max, 25, "all that is allowed is used");
    assert_eq!(seen.sub_concurrent_max, 10);
    assert_eq!(seen.refused_for_concurrency, 0);
    assert_eq!(seen.token_requests(), 1);
}

#[tokio::test]
async fn ten_at_once_is_ten_at_once_whatever_they_are() {
    let sim = org(zoho_sim::Edition::Standard, 1_000_000).await;
    let client = client(&sim, Limits::for_edition(Edition::Standard));
    let heavies = join_all((0..100).map(|_| heavy(&client)));
    assert!(heavies.await.iter().all(Result::is_ok));
    sim.expire_access_tokens();
    let lights = join_all((0..200).map(|_| light(&client)));
    assert!(lights.await.iter().all(Result::is_ok));
    let seen = sim.counters();
    assert_eq!((seen.concurrent_max, seen.sub_concurrent_max), (10, 10));
    assert_eq!(seen.refused_for_concurrency, 0);
    assert_eq!(seen.token_requests(), 2, "one refresh for all 200");
}

#[tokio::test]
async fn the_credit_reserve_is_left_to_others() {
    let sim = org(zoho_sim::Edition::Standard, 100).await;
    let limits = Limits {
        credits_daily: Some(100),
        credits_reserve_percent: 20,
        concurrency: 10,
        ..Limits::default()
    };
    let client = client(&sim, limits);
    let results = join_all((0..150).map(|_| light(&client))).await;
    let done = results.iter().filter(|it| it.is_ok()).count();
    // What is in flight counts as not yet in Zoho's number, so a few may be refused that would have fitted.
    assert!((70..=80).contains(&done), "{done}");
    let spent = |it: &Error| matches!(it, Error::CreditsSpent { .. });
    assert!(results.iter().filter_map(|it| it.as_ref().err()).all(spent));
    let seen = sim.counters();
    assert_eq!(usize::try_from(seen.credits_used).unwrap(), done);
    assert_eq!(seen.refused_for_credits, 0);
}

#[tokio::test]
async fn credits_that_others_used_are_heeded_too() {
    let sim = org(zoho_sim::Edition::Standard, 100).await;
    let others = client(&sim, Limits::default());
    for _ in 0..70 {
        light(&others).await.unwrap();
    }
    let limits = Limits {
        credits_daily: Some(100),
        credits_reserve_percent: 20,
        concurrency: 1,
        ..Limits::default()
    };
    let client = client(&sim, limits);
    let mut done = 0;
    while light(&client).await.is_ok() {
        done += 1;
    }
    assert_eq!(done, 10, "zoho says after each call what is left");
    assert_eq!(sim.counters().credits_used, 80);
}

/// A call that Zoho counts as heavy, of one family after another.
async fn heavy_of_any_family(client: &Client, n: usize, lead: &str) -> Result<(), Error> {
    match n % 6 {
        0 => heavy(client).await,
        1 => client.select(&Select::new("Leads", ["id"])).await.map(drop),
        2 => {
            let search = Search {
                module: "Leads".to_owned(),
                by: By::Word("Doe".to_owned()),
                fields: vec!["Last_Name".to_owned()],
                converted: false,
            };
            client.search(&search, 1).await.map(drop)
        }
        3 => {
            let lead = values(&json!({"Last_Name": "Roe", "Company": "Example"}));
            let leads = vec![lead; 11];
            let options = WriteOptions::default();
            client.insert("Leads", &leads, &options).await.map(drop)
        }
        4 => {
            let mut batch = Composite::new();
            batch.add(SubRequest::record("Leads", lead))?;
            client.composite(&batch).await.map(drop)
        }
        _ => {
            let how = Conversion::default();
            client.convert_lead(lead, &how).await.map(drop)
        }
    }
}

/// As many leads as there are calls, so that each can be converted once.
fn leads(sim: &Sim, count: usize) -> Vec<String> {
    let lead = |n: usize| json!({"Last_Name": "Doe", "Company": format!("Example {n}")});
    sim.insert_many("Leads", (0..count).map(lead).collect())
        .unwrap()
}

#[tokio::test]
async fn heavy_calls_of_every_family_share_the_ten() {
    let sim = org(zoho_sim::Edition::Ultimate, 1_000_000).await;
    let client = client(&sim, Limits::for_edition(Edition::Ultimate));
    let leads = leads(&sim, 120);
    let calls = leads.iter().enumerate();
    let calls = calls.map(|(n, lead)| heavy_of_any_family(&client, n, lead));
    for result in join_all(calls).await {
        result.unwrap();
    }
    let seen = sim.counters();
    assert_eq!((seen.sub_concurrent_max, seen.concurrent_max), (10, 10));
    assert_eq!(seen.refused_for_concurrency, 0);
    // 20 calls of each: 1, 1, 1, 2, 1 + 1 and 5 credits.
    assert_eq!(seen.credits_used, 20 * 12);
}

#[tokio::test]
async fn calls_of_any_cost_leave_the_reserve_alone() {
    let sim = org(zoho_sim::Edition::Standard, 100).await;
    let limits = Limits {
        credits_daily: Some(100),
        credits_reserve_percent: 20,
        concurrency: 10,
        ..Limits::default()
    };
    let client = client(&sim, limits);
    let leads = leads(&sim, 120);
    let calls = leads.iter().enumerate();
    let calls = calls.map(|(n, lead)| heavy_of_any_family(&client, n, lead));
    let results = join_all(calls).await;
    let refused = results.iter().filter_map(|it| it.as_ref().err());
    assert!(refused.clone().count() > 0);
    for error in refused {
        assert!(matches!(error, Error::CreditsSpent { .. }), "{error}");
    }
    let seen = sim.counters();
    assert!(
        (60..=80).contains(&seen.credits_used),
        "{}",
        seen.credits_used
    );
    assert_eq!(seen.refused_for_credits, 0);
}
