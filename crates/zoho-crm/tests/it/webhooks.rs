//! Workflow webhooks.

use std::time::Duration;

use futures_util::TryStreamExt;
use jiff::civil::date;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};
use zoho_crm::{
    Authentication, Error, FailureQuery, FeatureType, ModuleRef, NewWebhook, Parameters, RawFormat,
    UsageGroup, WebhookBody, WebhookPatch, WebhookRequest, merge_field,
};
use zoho_sim::Sim;

use crate::support::{
    error, json as answer,
    literal::{answering, asked},
    sim::{client, simulator},
};

const ID: &str = "554023000002415001";
const PATH: &str = "/crm/v8/settings/automation/webhooks";
const CREATED: &str = r#"{"webhooks":[{"code":"SUCCESS","details":{"id":"554023000002415001"},"message":"webhook created successfully","status":"success"}]}"#;

fn webhook(request: WebhookRequest<'_>) -> NewWebhook<'_> {
    NewWebhook {
        name: "New lead",
        module: ModuleRef {
            api_name: "Leads",
            id: Some("554023000000000125"),
        },
        feature: FeatureType::Workflow,
        url: "https://hooks.example.com/in/new-lead",
        description: None,
        authentication: Authentication::General,
        request,
        date_time_format: None,
    }
}

async fn paths(zoho: &crate::support::Zoho) -> Vec<String> {
    let asked = asked(zoho).await.into_iter();
    asked.map(|it| format!("{} {}", it.0, it.1)).collect()
}

#[tokio::test]
async fn a_webhook_is_made_and_changed_as_the_contract_says() {
    let zoho = answering(vec![answer(201, CREATED), answer(200, CREATED)]).await;
    let (client, _hand) = zoho.client();
    let id = merge_field("Leads", "Id");
    let text = format!(r#"{{"lead_id":"{id}"}}"#);
    let post = WebhookRequest::Post {
        headers: Parameters {
            custom: &[("X-Secret", "s")],
            ..Parameters::default()
        },
        body: WebhookBody::Raw {
            format: RawFormat::Json,
            text: &text,
        },
    };
    assert_eq!(client.create_webhook(&webhook(post)).await.unwrap(), ID);
    let changes = WebhookPatch {
        url: Some("https://hooks.example.com/in/lead"),
        ..WebhookPatch::default()
    };
    client.update_webhook(ID, &changes).await.unwrap();
    assert_eq!(
        asked(&zoho).await,
        [
            (
                "POST".to_owned(),
                PATH.to_owned(),
                json!({"webhooks": [{
                    "name": "New lead",
                    "module": {"api_name": "Leads", "id": "554023000000000125"},
                    "feature_type": "workflow",
                    "url": "https://hooks.example.com/in/new-lead",
                    "authentication": {"type": "general"},
                    "http_method": "POST",
                    "headers": {
                        "module_parameters": [],
                        "custom_parameters": [{"name": "X-Secret", "value": "s"}],
                    },
                    "body": {
                        "type": "raw",
                        "format": "JSON",
                        "raw_data_content": "{\"lead_id\":\"${!Leads.Id}\"}",
                    },
                }]}),
            ),
            (
                "PUT".to_owned(),
                format!("{PATH}/{ID}"),
                json!({"webhooks": [{"url": "https://hooks.example.com/in/lead"}]}),
            ),
        ]
    );
}

#[tokio::test]
async fn a_refused_webhook_says_why() {
    let refused = r#"{"webhooks":[{"code":"INVALID_DATA","details":{"api_name":"url","json_path":"$.webhooks[0].url"},"message":"invalid data","status":"error"}]}"#;
    let get = WebhookRequest::Get {
        parameters: Parameters::default(),
    };
    for (reply, class) in [
        (answer(400, refused), "invalid"),
        (
            answer(
                403,
                r#"{"code":"NO_PERMISSION","details":{"permissions":["Crm_Implied_manage_workflow"]},"message":"permission denied","status":"error"}"#,
            ),
            "forbidden",
        ),
        (error(500, "INTERNAL_ERROR"), "unavailable"),
    ] {
        let zoho = answering(vec![reply]).await;
        let (client, _hand) = zoho.client();
        let failed = client.create_webhook(&webhook(get)).await.unwrap_err();
        assert_eq!(failed.class(), class);
        assert_eq!(
            zoho.calls(),
            1,
            "what may have been carried out is not repeated"
        );
    }
}

#[tokio::test]
async fn webhooks_are_read_one_by_one_and_all() {
    let entry = format!(
        r#"{{"id":"{ID}","name":"New lead","module":{{"api_name":"Leads","id":"554023000000000125"}},"feature_type":"workflow","http_method":"POST","url":"https://hooks.example.com/in/new-lead","authentication":{{"type":"general"}},"editable":true}}"#
    );
    let page = |more| {
        answer(
            200,
            &format!(
                r#"{{"webhooks":[{entry}],"info":{{"per_page":200,"count":1,"page":1,"more_records":{more}}}}}"#
            ),
        )
    };
    let zoho = answering(vec![
        page(true),
        page(false),
        answer(200, &format!(r#"{{"webhooks":[{entry}]}}"#)),
        error(404, "RESOURCE_NOT_FOUND"),
        ResponseTemplate::new(204),
        error(400, "INVALID_DATA"),
    ])
    .await;
    let (client, _hand) = zoho.client();
    let all: Vec<_> = client.webhooks().try_collect().await.unwrap();
    assert_eq!(all.len(), 2);
    let one = client.webhook(ID).await.unwrap().unwrap();
    assert_eq!(one, all[0]);
    assert_eq!((one.id.as_str(), one.module.name.as_str()), (ID, "Leads"));
    assert_eq!(
        (one.http_method.as_str(), one.feature_type.as_str()),
        ("POST", "workflow")
    );
    assert_eq!(one.raw["editable"], true);
    for _ in 0..3 {
        assert_eq!(client.webhook("7").await.unwrap(), None);
    }
    assert_eq!(
        paths(&zoho).await[..3],
        [
            format!("GET {PATH}?page=1&per_page=200"),
            format!("GET {PATH}?page=2&per_page=200"),
            format!("GET {PATH}/{ID}"),
        ]
    );
    assert_eq!(client.webhook("../x").await.unwrap_err().class(), "misuse");
}

#[tokio::test]
async fn webhooks_are_deleted_ten_at_a_time_or_alone() {
    let mixed = r#"{"webhooks":[{"code":"SUCCESS","details":{"id":"1"},"message":"webhook deleted successfully","status":"success"},{"code":"NOT_ALLOWED","details":{"id":"2"},"message":"it is in use","status":"error"}]}"#;
    let zoho = answering(vec![answer(207, mixed), answer(200, CREATED)]).await;
    let (client, _hand) = zoho.client();
    let results = client.delete_webhooks(&["1", "2"]).await.unwrap();
    assert!(results[0].is_ok());
    assert_eq!(
        results[1].as_ref().unwrap_err().code.as_str(),
        "NOT_ALLOWED"
    );
    client.delete_webhook(ID).await.unwrap();
    let eleven = vec![ID; 11];
    for ids in [&[][..], &eleven, &["1,2"]] {
        let wrong = client.delete_webhooks(ids).await.unwrap_err();
        assert_eq!(wrong.class(), "misuse");
    }
    assert_eq!(
        paths(&zoho).await,
        [
            format!("DELETE {PATH}?ids=1%2C2"),
            format!("DELETE {PATH}/{ID}"),
        ]
    );
}

#[tokio::test]
async fn failures_name_the_record_whose_event_was_lost() {
    let body = r#"{"webhook_failures":[{"webhook":{"name":"New lead","id":"554023000002415001"},"entity_details":{"module":{"api_name":"Leads","id":"554023000000000125"},"name":"Doe","id":"554023000000376008"},"failure_time":"2025-10-21T17:08:07+05:30","failure_reason":"page_notfound","id":"554023000002500001","workflow_rule":{"name":"Tell the router","id":"554023000002410001"}}],"info":{"per_page":200,"count":1,"page":1,"more_records":false}}"#;
    let zoho = answering(vec![answer(200, body), ResponseTemplate::new(204)]).await;
    let (client, _hand) = zoho.client();
    let query = FailureQuery {
        webhook_id: Some(ID),
        module: Some("Leads"),
        from: Some(date(2025, 10, 1)),
        to: Some(date(2025, 10, 31)),
    };
    let failures: Vec<_> = client
        .webhook_failures(&query)
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    let failure = &failures[0];
    assert_eq!(failure.record.id, "554023000000376008");
    assert_eq!(failure.module.name, "Leads");
    assert_eq!(failure.webhook.id, ID);
    assert_eq!(failure.reason, "page_notfound");
    assert_eq!(failure.workflow_rule.name, "Tell the router");
    let failed_at = failure.failed_at.unwrap().to_string();
    assert_eq!(failed_at, "2025-10-21T11:38:07Z");
    let none = client.webhook_failures(&FailureQuery::default()).unwrap();
    assert!(none.try_collect::<Vec<_>>().await.unwrap().is_empty());
    assert_eq!(
        paths(&zoho).await,
        [
            format!(
                "GET /crm/v8/settings/automation/webhook_failures?page=1&per_page=200&webhook_id={ID}&module=Leads&from=2025-10-01&to=2025-10-31"
            ),
            "GET /crm/v8/settings/automation/webhook_failures?page=1&per_page=200".to_owned(),
        ]
    );
    let long = FailureQuery {
        from: Some(date(2025, 1, 1)),
        to: Some(date(2025, 10, 31)),
        ..FailureQuery::default()
    };
    assert!(matches!(
        client.webhook_failures(&long).err(),
        Some(Error::Misuse { .. })
    ));
}

#[tokio::test]
async fn usage_and_modules_are_given_as_they_are() {
    let usage =
        r#"{"usage_reports":[{"date":"2025-10-21","used_count":12}],"info":{"max_limit":20000}}"#;
    let modules = r#"{"associated_modules":[{"api_name":"Leads","id":"554023000000000125"}]}"#;
    let zoho = answering(vec![
        answer(200, usage),
        answer(200, modules),
        ResponseTemplate::new(204),
    ])
    .await;
    let (client, _hand) = zoho.client();
    let usage = client
        .webhook_usage(UsageGroup::DateAndResource)
        .await
        .unwrap();
    assert_eq!(usage.daily_max, Some(20_000));
    assert_eq!(usage.entries[0]["used_count"], 12);
    let modules = client.webhook_modules().await.unwrap();
    assert_eq!(modules[0]["api_name"], "Leads");
    assert!(client.webhook_modules().await.unwrap().is_empty());
    let none = client.webhook_usage(UsageGroup::Date).await.unwrap();
    assert_eq!((none.daily_max, none.entries.len()), (None, 0));
    assert_eq!(
        paths(&zoho).await,
        [
            format!("GET {PATH}/actions/usage_reports?group_by=date%2Cresource"),
            format!("GET {PATH}/actions/associated_modules"),
            format!("GET {PATH}/actions/associated_modules"),
            format!("GET {PATH}/actions/usage_reports?group_by=date"),
        ]
    );
    let asked: Vec<Value> = asked(&zoho).await.into_iter().map(|it| it.2).collect();
    assert!(asked.iter().all(Value::is_null));
}

/// What webhooks call, and an org whose webhooks may call it.
async fn receiver_and_org() -> (MockServer, Sim) {
    // Only the first test of the process installs it.
    drop(rustls::crypto::ring::default_provider().install_default());
    let receiver = MockServer::start().await;
    Mock::given(path("/hook"))
        .respond_with(ResponseTemplate::new(200))
        .mount(&receiver)
        .await;
    let settings = zoho_sim::Settings {
        webhooks_to_private_hosts: true,
        ..zoho_sim::Settings::on_loopback()
    };
    let sim = Sim::start(settings).await.unwrap();
    (receiver, sim)
}

#[tokio::test]
async fn a_webhook_lives_fires_and_fails_in_the_simulator() {
    let (receiver, sim) = receiver_and_org().await;
    let client = client(&sim);
    assert!(
        client
            .webhooks()
            .try_collect::<Vec<_>>()
            .await
            .unwrap()
            .is_empty()
    );
    let text = format!(r#"{{"id":"{}"}}"#, merge_field("Leads", "id"));
    let url = format!("{}/hook", receiver.uri());
    let new = NewWebhook {
        module: ModuleRef {
            api_name: "Leads",
            id: None,
        },
        url: &url,
        ..webhook(WebhookRequest::Post {
            headers: Parameters {
                custom: &[("X-Secret", "s")],
                ..Parameters::default()
            },
            body: WebhookBody::Raw {
                format: RawFormat::Json,
                text: &text,
            },
        })
    };
    let id = client.create_webhook(&new).await.unwrap();
    let made = client.webhook(&id).await.unwrap().unwrap();
    assert_eq!(
        (made.name.as_str(), made.http_method.as_str()),
        ("New lead", "POST")
    );
    assert_eq!(made.module.name, "Leads");

    sim.workflow_rule("Leads", "insert", &id).unwrap();
    let first = sim.insert("Leads", json!({"Last_Name": "Doe"})).unwrap();
    settle(&sim).await;
    let heard = receiver.received_requests().await.unwrap();
    let body: Value = serde_json::from_slice(&heard[0].body).unwrap();
    assert_eq!(body, json!({"id": first}));
    assert_eq!(heard[0].headers["x-secret"], "s");

    let away = format!("{}/gone", receiver.uri());
    let changes = WebhookPatch {
        url: Some(&away),
        ..WebhookPatch::default()
    };
    client.update_webhook(&id, &changes).await.unwrap();
    let lost = sim.insert("Leads", json!({"Last_Name": "Roe"})).unwrap();
    settle(&sim).await;
    let query = FailureQuery {
        webhook_id: Some(&id),
        ..FailureQuery::default()
    };
    let failures: Vec<_> = client
        .webhook_failures(&query)
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].record.id, lost);
    assert_eq!(failures[0].module.name, "Leads");
    assert!(failures[0].failed_at.is_some());
    let usage = client.webhook_usage(UsageGroup::Date).await.unwrap();
    assert!(usage.daily_max.is_some(), "{usage:?}");
    assert!(!client.webhook_modules().await.unwrap().is_empty());
    assert_eq!(client.webhook("7").await.unwrap(), None);
}

#[tokio::test]
async fn webhooks_that_no_rule_uses_are_deleted_in_the_simulator() {
    let sim = simulator().await;
    let client = client(&sim);
    let mut ids = vec![];
    for name in ["One", "Two", "Three"] {
        let get = WebhookRequest::Get {
            parameters: Parameters::default(),
        };
        let new = NewWebhook {
            name,
            module: ModuleRef {
                api_name: "Leads",
                id: None,
            },
            ..webhook(get)
        };
        ids.push(client.create_webhook(&new).await.unwrap());
    }
    let all: Vec<_> = client.webhooks().try_collect().await.unwrap();
    assert_eq!(all.len(), 3);
    client.delete_webhook(&ids[0]).await.unwrap();
    let results = client.delete_webhooks(&[&ids[1], &ids[2]]).await.unwrap();
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let none: Vec<_> = client.webhooks().try_collect().await.unwrap();
    assert!(none.is_empty());
    let failed = client.delete_webhook(&ids[0]).await.unwrap_err();
    assert_eq!(failed.retry_after(), None, "{failed}");
}

async fn settle(sim: &Sim) {
    tokio::time::timeout(Duration::from_secs(30), sim.callbacks_settled())
        .await
        .unwrap();
}
