//! Notification channels.

use std::time::Duration;

use futures_util::TryStreamExt;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;
use zoho_crm::{
    Channel, ChannelCondition, ChannelEvent, ChannelFilter, ChannelPatch, ConditionField,
    ConditionJoin, Error, WatchOn,
};

use crate::support::{
    error, json as answer,
    literal::{answering, asked},
    sim::{client, simulator},
};

const ID: &str = "1000000068001";
const URL: &str = "https://hooks.example.com/in/crm?k=1";
const DEALS: &[ChannelEvent<'_>] = &[ChannelEvent {
    module: "Deals",
    on: WatchOn::All,
}];
const SUBSCRIBED: &str = r#"{"watch":[{"code":"SUCCESS","details":{"events":[{"channel_expiry":"2026-11-29T11:30:00+00:00","resource_uri":"https://www.zohoapis.com/crm/v2/Deals","resource_id":"554023000000000131","resource_name":"Deals","channel_id":"1000000068001"}]},"message":"Successfully subscribed for actions-watch of the given module","status":"success"}]}"#;

fn until(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The literal clock stands at noon of 22 November 2026.
fn channel<'a>() -> Channel<'a> {
    Channel {
        expires_at: Some(until("2026-11-29T11:30:00Z")),
        ..Channel::new(ID, DEALS, URL)
    }
}

fn written() -> Value {
    json!({
        "channel_id": ID,
        "events": ["Deals.all"],
        "notify_url": URL,
        "channel_expiry": "2026-11-29T11:30:00+00:00",
    })
}

#[tokio::test]
async fn a_channel_is_enabled_and_replaced_as_the_contract_says() {
    let zoho = answering(vec![answer(201, SUBSCRIBED), answer(200, SUBSCRIBED)]).await;
    let (client, _hand) = zoho.client();
    let granted = client.enable_channels(&[channel()]).await.unwrap();
    let granted = granted[0].as_ref().unwrap();
    assert_eq!(granted.channel_id, ID);
    assert_eq!(granted.expires_at, channel().expires_at);
    assert!(!granted.shortened);
    assert_eq!(granted.modules[0].module, "Deals");
    assert_eq!(granted.modules[0].module_id, "554023000000000131");
    client.replace_channels(&[channel()]).await.unwrap();
    let path = || "/crm/v8/actions/watch".to_owned();
    assert_eq!(
        asked(&zoho).await,
        [
            ("POST".to_owned(), path(), json!({"watch": [written()]})),
            ("PUT".to_owned(), path(), json!({"watch": [written()]})),
        ]
    );
}

#[tokio::test]
async fn an_hour_instead_of_a_week_is_told() {
    let hour = SUBSCRIBED.replace("2026-11-29T11:30:00+00:00", "2026-11-22T18:30:00+05:30");
    let zoho = answering(vec![answer(201, &hour)]).await;
    let (client, _hand) = zoho.client();
    let granted = client.enable_channels(&[channel()]).await.unwrap();
    let granted = granted[0].as_ref().unwrap();
    assert!(granted.shortened);
    assert_eq!(granted.expires_at, Some(until("2026-11-22T13:00:00Z")));
    let unasked = Channel {
        expires_at: None,
        ..channel()
    };
    let granted = client.enable_channels(&[unasked]).await.unwrap();
    assert!(!granted[0].as_ref().unwrap().shortened);
}

#[tokio::test]
async fn each_channel_has_its_own_result_whatever_the_status_says() {
    let refused = r#"{"code":"INVALID_DATA","details":{"maximum_length":50,"api_name":"token","json_path":"$.watch[1].token"},"message":"invalid data","status":"error"}"#;
    let mixed = SUBSCRIBED.replace(
        r#""status":"success"}]}"#,
        &format!(r#""status":"success"}},{refused}]}}"#),
    );
    for status in [201, 207, 202, 400] {
        let zoho = answering(vec![answer(status, &mixed)]).await;
        let (client, _hand) = zoho.client();
        let granted = client
            .enable_channels(&[channel(), channel()])
            .await
            .unwrap();
        assert!(granted[0].is_ok(), "{status}");
        let failed = granted[1].as_ref().unwrap_err();
        assert_eq!(failed.code.as_str(), "INVALID_DATA", "{status}");
        assert_eq!(failed.json_path.as_deref(), Some("$.watch[1].token"));
    }
    // An error of the whole body under a success's status, as the older description has it.
    let whole = r#"{"code":"MANDATORY_NOT_FOUND","details":{"api_name":"events","json_path":"$.watch[0].events"},"message":"required field not found","status":"error"}"#;
    for body in [whole.to_owned(), format!(r#"{{"watch":[{whole}]}}"#)] {
        let zoho = answering(vec![answer(202, &body)]).await;
        let (client, _hand) = zoho.client();
        let code = match client.enable_channels(&[channel()]).await {
            Ok(results) => results[0].as_ref().unwrap_err().code.to_string(),
            Err(Error::Invalid { code, .. }) => code.to_string(),
            Err(other) => other.to_string(),
        };
        assert_eq!(code, "MANDATORY_NOT_FOUND", "{body}");
    }
}

#[tokio::test]
async fn a_patch_sends_only_what_changes_and_events_are_dropped_by_name() {
    let removed = SUBSCRIBED.replace(
        "Successfully subscribed for actions-watch of the given module",
        "Successfully removed the subscribe details",
    );
    let gone = r#"{"watch":[{"code":"NOT_SUBSCRIBED","details":{},"message":"not subscribed","status":"error"}]}"#;
    let zoho = answering(vec![
        answer(200, SUBSCRIBED),
        answer(200, &removed),
        answer(400, gone),
    ])
    .await;
    let (client, _hand) = zoho.client();
    let fields =
        ["Stage", "Amount", "Closing_Date"].map(|api_name| ConditionField { api_name, id: None });
    let conditions = [ChannelCondition {
        module: ConditionField {
            api_name: "Deals",
            id: Some("554023000000000131"),
        },
        join: ConditionJoin::Or,
        fields: &fields,
    }];
    let patch = ChannelPatch {
        return_affected_field_values: Some(true),
        conditions: Some(&conditions),
        ..ChannelPatch::new(ID)
    };
    client.patch_channels(&[patch]).await.unwrap();
    client.drop_channel_events(ID, DEALS).await.unwrap();
    let failed = client.drop_channel_events(ID, DEALS).await.unwrap_err();
    assert!(
        matches!(&failed, Error::Invalid { code, .. } if code.as_str() == "NOT_SUBSCRIBED"),
        "{failed}"
    );
    let field = |name: &str| json!({"field": {"api_name": name}});
    let asked = asked(&zoho).await;
    assert!(asked.iter().all(|(method, path, _)| {
        (method.as_str(), path.as_str()) == ("PATCH", "/crm/v8/actions/watch")
    }));
    assert_eq!(
        asked[0].2,
        json!({"watch": [{
            "channel_id": ID,
            "return_affected_field_values": true,
            "notification_condition": [{
                "type": "field_selection",
                "module": {"api_name": "Deals", "id": "554023000000000131"},
                "field_selection": {"group_operator": "or", "group": [
                    field("Stage"),
                    {"group_operator": "or", "group": [field("Amount"), field("Closing_Date")]},
                ]},
            }],
        }]})
    );
    assert_eq!(
        asked[1].2,
        json!({"watch": [{"channel_id": ID, "events": ["Deals.all"], "_delete_events": true}]})
    );
}

#[tokio::test]
async fn channels_are_listed_page_by_page() {
    let entry = |module: &str| {
        format!(
            r#"{{"notify_on_related_action":false,"return_affected_field_values":true,"channel_expiry":"2026-11-29T17:00:00+05:30","resource_uri":"https://www.zohoapis.com/crm/v2/{module}","resource_id":"554023000000000131","notify_url":"{URL}","resource_name":"{module}","channel_id":"{ID}","events":["{module}.create","{module}.edit","{module}.delete"],"token":"planted-token","fields":null,"notification_condition":null}}"#
        )
    };
    let page = |module: &str, more: bool| {
        let body = format!(
            r#"{{"watch":[{}],"info":{{"per_page":200,"count":1,"page":1,"more_records":{more}}}}}"#,
            entry(module)
        );
        answer(200, &body)
    };
    let zoho = answering(vec![page("Deals", true), page("Leads", false)]).await;
    let (client, _hand) = zoho.client();
    let filter = ChannelFilter {
        channel_id: Some(ID),
        module: None,
    };
    let entries: Vec<_> = client
        .channels(&filter)
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    let modules: Vec<_> = entries.iter().map(|it| it.module.as_str()).collect();
    assert_eq!(modules, ["Deals", "Leads"]);
    let first = &entries[0];
    assert_eq!(first.events, ["Deals.create", "Deals.edit", "Deals.delete"]);
    assert_eq!(first.expires_at, Some(until("2026-11-29T11:30:00Z")));
    assert_eq!(first.notify_on_related_action, Some(false));
    let token = first.token.as_ref().unwrap().expose_secret();
    assert_eq!(token, "planted-token");
    assert!(!format!("{entries:?}").contains("planted"));
    let paths: Vec<_> = asked(&zoho).await.into_iter().map(|it| it.1).collect();
    assert_eq!(
        paths,
        [1, 2]
            .map(|page| format!("/crm/v8/actions/watch?page={page}&per_page=200&channel_id={ID}"))
    );

    let zoho = answering(vec![ResponseTemplate::new(204)]).await;
    let (client, _hand) = zoho.client();
    let none = client.channels(&ChannelFilter::default()).unwrap();
    assert!(none.try_collect::<Vec<_>>().await.unwrap().is_empty());
}

#[tokio::test]
async fn channels_are_disabled_in_one_call() {
    let body = r#"{"watch":[{"code":"SUCCESS","details":{"resource_uri":"https://www.zohoapis.com/crm/v2/Deals","resource_id":"554023000000000131","resource_name":"Deals","channel_id":"1000000068001"},"message":"Successfully un-subscribed from actions-watch","status":"success"},{"code":"SUCCESS","details":{"resource_uri":"https://www.zohoapis.com/crm/v2/Leads","resource_id":"554023000000000125","resource_name":"Leads","channel_id":"1000000068001"},"message":"Successfully un-subscribed from actions-watch","status":"success"},{"code":"NOT_SUBSCRIBED","details":{},"message":"not subscribed","status":"error"}]}"#;
    let zoho = answering(vec![answer(207, body)]).await;
    let (client, _hand) = zoho.client();
    let results = client.disable_channels(&[ID, "7"]).await.unwrap();
    let modules: Vec<_> = results
        .iter()
        .map(|it| it.as_ref().map_or("", |it| it.module.as_str()))
        .collect();
    assert_eq!(modules, ["Deals", "Leads", ""]);
    assert_eq!(
        asked(&zoho).await,
        [(
            "DELETE".to_owned(),
            format!("/crm/v8/actions/watch?channel_ids={ID}%2C7"),
            Value::Null,
        )]
    );
    let wrong = client.disable_channels(&["7 or 1"]).await.unwrap_err();
    assert_eq!(wrong.class(), "misuse");
    let many = vec![ID; 51];
    let wrong = client.disable_channels(&many).await.unwrap_err();
    assert_eq!(wrong.class(), "misuse");
}

#[tokio::test]
async fn a_missing_scope_is_for_a_person() {
    let zoho = answering(vec![error(401, "OAUTH_SCOPE_MISMATCH")]).await;
    let (client, _hand) = zoho.client();
    let failed = client.enable_channels(&[channel()]).await.unwrap_err();
    assert_eq!(failed.class(), "forbidden");
    assert_eq!(zoho.tokens(), 1);
}

#[tokio::test]
async fn a_channel_lives_in_the_simulator() {
    let sim = simulator().await;
    let client = client(&sim);
    let week = Timestamp::from_second(clock::Clock::real().now().as_second()).unwrap()
        + Duration::from_hours(7 * 24 - 1);
    let token = SecretString::from("planted-token");
    let events = ["Leads.all", "Deals.insert"].map(|it| ChannelEvent::parse(it).unwrap());
    let full = Channel {
        token: Some(&token),
        expires_at: Some(week),
        notify_on_related_action: Some(false),
        return_affected_field_values: Some(true),
        ..Channel::new(ID, &events, "http://127.0.0.1:9/in/crm?k=1")
    };
    let channels = [full];
    let granted = client.enable_channels(&channels).await.unwrap();
    let granted = granted[0].as_ref().unwrap();
    assert_eq!(granted.expires_at, Some(week));
    assert!(!granted.shortened);
    assert_eq!(granted.modules.len(), 2);

    let hour = Channel {
        expires_at: None,
        ..channels[0].clone()
    };
    let granted = client.replace_channels(&[hour]).await.unwrap();
    let expires_at = granted[0].as_ref().unwrap().expires_at.unwrap();
    assert!(week.duration_since(expires_at).as_hours() >= 165);
    let longer = ChannelPatch {
        expires_at: Some(week),
        ..ChannelPatch::new(ID)
    };
    let granted = client.patch_channels(&[longer]).await.unwrap();
    assert_eq!(granted[0].as_ref().unwrap().expires_at, Some(week));

    let leads = ChannelFilter {
        channel_id: Some(ID),
        module: Some("Leads"),
    };
    let list = || client.channels(&leads).unwrap().try_collect::<Vec<_>>();
    let entries = list().await.unwrap();
    assert_eq!(entries[0].events.len(), 3);
    assert_eq!(entries[0].expires_at, Some(week));
    assert_eq!(entries[0].return_affected_field_values, Some(true));

    let edit = [ChannelEvent::parse("Leads.edit").unwrap()];
    client.drop_channel_events(ID, &edit).await.unwrap();
    assert_eq!(
        list().await.unwrap()[0].events,
        ["Leads.create", "Leads.delete"]
    );
    let results = client.disable_channels(&[ID, "7"]).await.unwrap();
    assert_eq!(results.iter().filter(|it| it.is_ok()).count(), 2);
    let failed = results.iter().find_map(|it| it.as_ref().err()).unwrap();
    assert_eq!(failed.code.as_str(), "NOT_SUBSCRIBED");
    assert!(list().await.unwrap().is_empty());
    let failed = client.replace_channels(&channels).await.unwrap();
    let failed = failed[0].as_ref().unwrap_err();
    assert_eq!(failed.code.as_str(), "NOT_SUBSCRIBED");
}

#[tokio::test]
async fn conditions_pass_the_simulators_own_check() {
    let sim = simulator().await;
    let client = client(&sim);
    let fields = [
        "Last_Name",
        "First_Name",
        "Company",
        "Email",
        "Phone",
        "Mobile",
        "Website",
        "Lead_Status",
        "Lead_Source",
        "Industry",
    ]
    .map(|api_name| ConditionField { api_name, id: None });
    let conditions = [ChannelCondition {
        module: ConditionField {
            api_name: "Leads",
            id: None,
        },
        join: ConditionJoin::Or,
        fields: &fields,
    }];
    let events = [ChannelEvent::parse("Leads.edit").unwrap()];
    let narrow = Channel {
        conditions: &conditions,
        ..Channel::new(ID, &events, "http://127.0.0.1:9/")
    };
    let granted = client.enable_channels(&[narrow]).await.unwrap();
    assert!(granted[0].is_ok(), "{granted:?}");
}
