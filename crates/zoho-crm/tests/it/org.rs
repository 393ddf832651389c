//! The org, its users, modules and fields.

use std::{sync::Arc, time::Duration};

use futures_util::{TryStreamExt, future::join_all};
use serde_json::json;
use wiremock::ResponseTemplate;
use zoho_crm::{Edition, FieldType, Limits, Settings, UserType};
use zoho_sim::Sim;

use crate::support::{
    error, json as answer,
    literal::{answering, asked},
    sim::{client, client_with, settings, simulator},
};

const ORG: &str = r#"{"org":[{"country":"Germany","id":"554023000000223001","zgid":"60001234","type":"production","company_name":"Example Ltd","time_zone":"Europe/Berlin","currency":"Euro - EUR","license_details":{"paid_expiry":null,"users_license_purchased":40,"trial_type":null,"trial_expiry":null,"paid":true,"paid_type":"zohooneenterprise"}}]}"#;

const USER: &str = r#"{"id":"554023000000235011","full_name":"Pat Example","first_name":"Pat","last_name":"Example","email":"pat@example.com","status":"active","confirm":true,"zuid":"694579958","time_zone":"Europe/Berlin","role":{"name":"CEO","id":"554023000000015969"},"profile":{"name":"Administrator","id":"554023000000015972"}}"#;

#[tokio::test]
async fn the_org_is_read_as_the_contract_says_and_its_limits_are_kept() {
    let zoho = answering(vec![answer(200, ORG)]).await;
    let (client, _hand) = zoho.client();
    let org = client.org().await.unwrap();
    assert_eq!(org.id, "554023000000223001");
    assert_eq!(org.zgid.as_deref(), Some("60001234"));
    assert_eq!(org.company_name.as_deref(), Some("Example Ltd"));
    assert_eq!(org.kind.as_deref(), Some("production"));
    assert_eq!(org.license.users, Some(40));
    assert_eq!(org.license.edition(), Some(Edition::Enterprise));
    assert_eq!(org.raw["currency"], "Euro - EUR");
    let limits = org.limits(25).unwrap();
    assert_eq!(
        (limits.credits_daily, limits.concurrency),
        (Some(90_000), 20)
    );
    assert_eq!(
        asked(&zoho).await,
        [("GET".into(), "/crm/v8/org".into(), json!(null))]
    );
}

async fn org_of(edition: zoho_sim::Edition, daily_credits: u64) -> Sim {
    // Only the first test of the process installs it.
    drop(rustls::crypto::ring::default_provider().install_default());
    let settings = zoho_sim::Settings {
        edition,
        daily_credits,
        latency: Duration::from_millis(20),
        ..zoho_sim::Settings::on_loopback()
    };
    Sim::start(settings).await.unwrap()
}

#[tokio::test]
async fn what_the_edition_allows_is_learnt_and_used() {
    for (edition, concurrency) in [
        (zoho_sim::Edition::Free, 5),
        (zoho_sim::Edition::Professional, 15),
        (zoho_sim::Edition::Ultimate, 25),
    ] {
        let sim = org_of(edition, 1_000_000).await;
        let client = client(&sim);
        client.learn_limits().await.unwrap();
        let lists = (0..100).map(|_| client.users(UserType::CurrentUser).try_collect::<Vec<_>>());
        assert!(join_all(lists).await.iter().all(Result::is_ok));
        let seen = sim.counters();
        assert_eq!(seen.concurrent_max, concurrency, "{edition:?}");
        assert_eq!(seen.refused_for_concurrency, 0);
    }
    let sim = simulator().await;
    let zero = Limits {
        concurrency: 0,
        ..Limits::default()
    };
    assert!(client(&sim).set_limits(&zero).is_err());
}

#[tokio::test]
async fn the_reserve_is_not_touched_by_ten_at_once_while_others_use_credits_too() {
    let sim = org_of(zoho_sim::Edition::Standard, 200).await;
    let others = client(&sim);
    for _ in 0..110 {
        others.current_user().await.unwrap();
    }
    let client = client_with(Settings {
        limits: Limits {
            credits_daily: Some(200),
            credits_reserve_percent: 20,
            concurrency: 10,
            ..Limits::default()
        },
        ..settings(&sim)
    });
    let results = join_all((0..150).map(|_| client.current_user())).await;
    let done = results.iter().filter(|it| it.is_ok()).count();
    assert!(done >= 40, "{done} of 50");
    let seen = sim.counters();
    assert!(seen.credits_used <= 160, "{}", seen.credits_used);
    assert_eq!(seen.refused_for_credits, 0);
}

#[tokio::test]
async fn users_are_read_as_the_contract_says() {
    let page = |more| {
        let body = format!(
            r#"{{"users":[{USER}],"info":{{"per_page":200,"count":1,"page":1,"more_records":{more}}}}}"#
        );
        answer(200, &body)
    };
    let zoho = answering(vec![
        page(true),
        page(false),
        page(false),
        page(false),
        ResponseTemplate::new(204),
        error(400, "INVALID_DATA"),
    ])
    .await;
    let (client, _hand) = zoho.client();
    let users: Vec<_> = client
        .users(UserType::ActiveConfirmedUsers)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(users.len(), 2);
    let user = &users[0];
    assert_eq!(user.id, "554023000000235011");
    assert_eq!(user.full_name.as_deref(), Some("Pat Example"));
    assert_eq!(user.email.as_deref(), Some("pat@example.com"));
    assert_eq!(user.role.as_deref(), Some("CEO"));
    assert_eq!(user.profile.as_deref(), Some("Administrator"));
    assert_eq!(
        (user.status.as_deref(), user.confirmed),
        (Some("active"), Some(true))
    );
    assert_eq!(user.raw["zuid"], "694579958");
    assert_eq!(client.current_user().await.unwrap(), *user);
    assert_eq!(client.user(&user.id).await.unwrap().as_ref(), Some(user));
    assert_eq!(client.user("1").await.unwrap(), None);
    assert_eq!(client.user("2").await.unwrap(), None);
    assert_eq!(client.user("../org").await.unwrap_err().class(), "misuse");
    let paths: Vec<_> = asked(&zoho).await.into_iter().map(|it| it.1).collect();
    assert_eq!(
        paths,
        [
            "/crm/v8/users?type=ActiveConfirmedUsers&page=1&per_page=200",
            "/crm/v8/users?type=ActiveConfirmedUsers&page=2&per_page=200",
            "/crm/v8/users?type=CurrentUser",
            "/crm/v8/users/554023000000235011",
            "/crm/v8/users/1",
            "/crm/v8/users/2",
        ]
    );
}

#[tokio::test]
async fn the_simulators_users_are_found_by_every_type() {
    let sim = simulator().await;
    let client = client(&sim);
    for users in UserType::ALL {
        assert_eq!(UserType::parse(users.as_str()), Some(users));
        let found: Vec<_> = client.users(users).try_collect().await.unwrap();
        let none = matches!(users, UserType::DeactiveUsers | UserType::NotConfirmedUsers);
        assert_eq!(found.is_empty(), none, "{users:?}");
    }
    let current = client.current_user().await.unwrap();
    assert_eq!(client.user(&current.id).await.unwrap(), Some(current));
    assert_eq!(client.user("1").await.unwrap(), None);
    let org = client.org().await.unwrap();
    assert_eq!(org.license.edition(), Some(Edition::Standard));
}

#[tokio::test]
async fn fields_are_typed_with_all_that_zoho_said() {
    let body = r#"{"fields":[{"id":"554023000000000593","api_name":"Lead_Source","field_label":"Lead Source","data_type":"picklist","json_type":"string","length":120,"system_mandatory":false,"field_read_only":false,"custom_field":false,"pick_list_values":[{"display_value":"Ad","actual_value":"Advertisement","id":"1"}],"lookup":{}},{"id":"2","api_name":"Account_Name","field_label":"Account Name","data_type":"lookup","json_type":"jsonobject","system_mandatory":true,"read_only":true,"custom_field":true,"lookup":{"display_label":"Deals","api_name":"Deals","module":{"api_name":"Accounts","id":"554023000000002179"},"id":"3"}}]}"#;
    let zoho = answering(vec![answer(200, body), ResponseTemplate::new(204)]).await;
    let (client, _hand) = zoho.client();
    let fields = client.fields_of("Leads", FieldType::All).await.unwrap();
    let source = &fields[0];
    assert_eq!(source.id, "554023000000000593");
    assert_eq!(source.label.as_deref(), Some("Lead Source"));
    assert_eq!((source.length, source.choices.len()), (Some(120), 1));
    assert_eq!(source.choices, ["Advertisement"]);
    let account = &fields[1];
    assert_eq!(account.lookup_module.as_deref(), Some("Accounts"));
    assert!(account.mandatory && account.read_only && account.custom);
    assert_eq!(account.raw["lookup"]["id"], "3");
    let unused = client.fields_of("Leads", FieldType::Unused).await.unwrap();
    assert!(unused.is_empty());
    client.fields_of("Leads", FieldType::All).await.unwrap();
    client.forget_fields("Leads");
    client.fields_of("Leads", FieldType::Unused).await.unwrap();
    let paths: Vec<_> = asked(&zoho).await.into_iter().map(|it| it.1).collect();
    assert_eq!(
        paths,
        ["all", "unused", "unused"]
            .map(|it| format!("/crm/v8/settings/fields?module=Leads&type={it}"))
    );
}

#[tokio::test]
async fn modules_are_typed_and_asked_for_once_an_hour() {
    let body = r#"{"modules":[{"id":"554023000000000125","api_name":"Leads","module_name":"Leads","singular_label":"Lead","plural_label":"Leads","generated_type":"default","status":"visible","api_supported":true,"creatable":true,"editable":true,"deletable":false,"viewable":true,"visibility":1}]}"#;
    let zoho = answering(vec![answer(200, body)]).await;
    let (client, hand) = zoho.client();
    let modules = client.modules().await.unwrap();
    let leads = &modules[0];
    assert_eq!(
        (leads.id.as_str(), leads.api_name.as_str()),
        ("554023000000000125", "Leads")
    );
    assert_eq!(leads.singular_label.as_deref(), Some("Lead"));
    assert_eq!(leads.generated_type.as_deref(), Some("default"));
    assert!(leads.api_supported && leads.editable && !leads.deletable);
    assert_eq!(leads.raw["visibility"], 1);
    assert_eq!(*client.module("Leads").await.unwrap(), *leads);
    client.modules().await.unwrap();
    client.module("Leads").await.unwrap();
    hand.advance(Duration::from_hours(1));
    client.modules().await.unwrap();
    client.forget_modules();
    client.module("Leads").await.unwrap();
    let paths: Vec<_> = asked(&zoho).await.into_iter().map(|it| it.1).collect();
    let (all, one) = ("/crm/v8/settings/modules", "/crm/v8/settings/modules/Leads");
    assert_eq!(paths, [all, one, all, one]);
}

#[tokio::test]
async fn two_hundred_first_reads_of_metadata_make_one_call_each() {
    let sim = simulator().await;
    let client = client(&sim);
    let fields = join_all((0..200).map(|_| client.fields("Leads"))).await;
    let first = fields[0].as_ref().unwrap();
    assert!(
        fields
            .iter()
            .all(|it| Arc::ptr_eq(it.as_ref().unwrap(), first))
    );
    let modules = join_all((0..200).map(|_| client.modules())).await;
    assert!(modules.iter().all(Result::is_ok));
    let one = join_all((0..200).map(|_| client.module("Leads"))).await;
    assert_eq!(one[0].as_ref().unwrap().api_name, "Leads");
    assert_eq!(
        sim.counters().answers[&200],
        3 + sim.counters().token_requests()
    );
    let all = client.fields_of("Leads", FieldType::All).await.unwrap();
    assert!(all.len() >= first.len());
    let failed = client.module("Nothing").await.unwrap_err();
    assert_eq!(failed.retry_after(), None, "{failed}");
}
