//! What may be logged: no secret and no record's content is in any `Debug` output.

use std::fmt::Debug;

use futures_util::TryStreamExt;
use http::Method;
use secrecy::SecretString;
use serde_json::json;
use wiremock::ResponseTemplate;
use zoho_crm::{
    Authentication, Channel, ChannelEvent, ChannelFilter, ChannelPatch, DeletedQuery, FailureQuery,
    FeatureType, ListQuery, ModuleRef, NewWebhook, PageAt, Parameters, RawFormat, RawRequest,
    WatchOn, WebhookBody, WebhookPatch, WebhookRequest,
    bulk::{ColumnMapping, ReadCriteria},
    composite::{Composite, SubRequest},
    convert::{Conversion, Target},
    coql::{Select, field},
    notes::{Note, NoteOf},
    search::{By, Criteria},
    timeline::TimelineQuery,
};

use crate::{
    records::values,
    support::{QUERY, json as answer, literal::answering},
};

const PLANTED: &str = "Planted";

fn hidden(shown: &[&dyn Debug]) {
    for it in shown {
        let text = format!("{it:?}");
        assert!(!text.contains(PLANTED), "{text}");
    }
}

#[test]
fn channels_and_webhooks_hide_their_secrets() {
    let url = "https://hooks.example.com/in?key=Planted";
    let events = [ChannelEvent {
        module: "Leads",
        on: WatchOn::All,
    }];
    let token = SecretString::from(PLANTED);
    let patch = ChannelPatch {
        notify_url: Some(url),
        token: Some(&token),
        ..ChannelPatch::new("1")
    };
    hidden(&[&Channel::new("1", &events, url), &patch]);

    let secret = Parameters {
        module: &[],
        custom: &[("X-Secret", PLANTED)],
        user_defined: Some(("token", PLANTED)),
    };
    let request = WebhookRequest::Post {
        headers: secret,
        body: WebhookBody::Raw {
            format: RawFormat::Json,
            text: PLANTED,
        },
    };
    let webhook = NewWebhook {
        name: "New lead",
        module: ModuleRef {
            api_name: "Leads",
            id: None,
        },
        feature: FeatureType::Workflow,
        url,
        description: None,
        authentication: Authentication::General,
        request,
        date_time_format: None,
    };
    let patch = WebhookPatch {
        url: Some(url),
        request: Some(request),
        ..WebhookPatch::default()
    };
    hidden(&[&webhook, &patch]);
}

#[test]
fn what_is_sent_hides_its_content() {
    let record = || values(&json!({"Last_Name": PLANTED}));
    let mut composite = Composite::new();
    let by_word = SubRequest::new(Method::GET, "/crm/v8/Leads/search").param("word", PLANTED);
    composite
        .add(SubRequest::insert("Leads", record()))
        .unwrap();
    composite.add(by_word).unwrap();
    let conversion = Conversion {
        account: Some(Target::New(record())),
        deal: Some(record()),
        ..Conversion::default()
    };
    hidden(&[&composite, &conversion]);

    let criteria = || Criteria::equals("Email", PLANTED);
    let text = || PLANTED.to_owned();
    hidden(&[
        &Select::new("Leads", ["id"]).filter(field("Email").one_of([PLANTED])),
        &ReadCriteria::is("Email", zoho_crm::bulk::Comparator::Equal, PLANTED),
        &[By::Criteria(criteria()), By::Written(text())],
        &[By::Email(text()), By::Phone(text()), By::Word(text())],
    ]);

    let body = json!({"data": [record()]});
    let request = RawRequest {
        method: &Method::POST,
        path: "Leads",
        query: &[("criteria", PLANTED)],
        body: Some(&body),
    };
    let note = Note {
        title: Some(text()),
        content: text(),
    };
    let note = NoteOf {
        module: "Leads".to_owned(),
        record: "1".to_owned(),
        note,
    };
    let mapping = ColumnMapping {
        default_value: Some(json!(PLANTED)),
        ..ColumnMapping::of("Company", 0)
    };
    let timeline = TimelineQuery {
        filters: Some(json!({"value": PLANTED})),
        oldest_first: true,
    };
    hidden(&[&request, &note, &mapping, &timeline]);
}

#[tokio::test]
async fn what_comes_back_hides_secrets_and_content() {
    let record = r#"{"id":"1","name":"Planted","display_name":"Planted","Last_Name":"Planted","File_Name":"Planted","$link_url":"https://example.com/Planted","Locked_Reason__s":"Planted"}"#;
    let data = answer(200, &format!(r#"{{"data":[{record}]}}"#));
    let watch = r#"{"watch":[{"channel_id":"1","resource_name":"Leads","notify_url":"https://hooks.example.com/?key=Planted","token":"Planted","notification_condition":null}]}"#;
    let webhooks = r#"{"webhooks":[{"id":"1","name":"New lead","url":"https://hooks.example.com/?key=Planted","headers":{"custom_parameters":[{"name":"X-Secret","value":"Planted"}]}}]}"#;
    let failures = r#"{"webhook_failures":[{"id":"1","entity_details":{"id":"2","name":"Planted"},"failure_reason":"page_notfound"}]}"#;
    let timeline = r#"{"__timeline":[{"id":"1","action":"updated","record":{"name":"Planted"},"automation_details":{"rule":{"name":"Planted"}},"field_history":[{"api_name":"Last_Name","_value":{"old":"Planted","new":"Planted"}}]}]}"#;
    let composite = r#"{"__composite_requests":[{"code":"SUCCESS","status":"success","details":{"response":{"status_code":200,"headers":{},"body":{"data":[{"id":"1","Last_Name":"Planted"}]}}}}]}"#;
    let converted = r#"{"data":[{"code":"SUCCESS","status":"success","details":{"Contacts":{"id":"1","name":"Planted"}}}]}"#;
    let mut answers: Vec<ResponseTemplate> = vec![data; 8];
    for body in [watch, webhooks, failures, timeline, composite, converted] {
        answers.push(answer(200, body));
    }
    let zoho = answering(answers).await;
    let (client, _hand) = zoho.client();

    let list = ListQuery::of("Leads", &["Last_Name"]);
    let deleted = DeletedQuery {
        module: "Leads",
        kind: zoho_crm::DeletedKind::All,
        since: None,
    };
    hidden(&[
        &client.records(&QUERY).await.unwrap(),
        &client.record("Leads", "1").await.unwrap(),
        &client.list_page(&list, PageAt::Number(1)).await.unwrap(),
        &client.raw(&RawRequest::get("Leads")).await.unwrap(),
        &client.coql_with_meta("select id").await.unwrap(),
    ]);
    let attachments = client.attachments_of("Leads", "1");
    let attachments: Vec<_> = attachments.try_collect().await.unwrap();
    let deleted: Vec<_> = client.deleted(&deleted).try_collect().await.unwrap();
    let locks: Vec<_> = client.locks("Leads", "1").try_collect().await.unwrap();
    hidden(&[&attachments, &deleted, &locks]);

    let channels = client.channels(&ChannelFilter::default()).unwrap();
    let channels: Vec<_> = channels.try_collect().await.unwrap();
    let webhooks: Vec<_> = client.webhooks().try_collect().await.unwrap();
    let failures = client.webhook_failures(&FailureQuery::default()).unwrap();
    let failures: Vec<_> = failures.try_collect().await.unwrap();
    let timeline = client.timeline("Leads", "1", &TimelineQuery::default());
    let timeline: Vec<_> = timeline.try_collect().await.unwrap();
    hidden(&[&channels, &webhooks, &failures, &timeline]);
    hidden(&[&timeline[0].changes]);

    let mut batch = Composite::new();
    batch.add(SubRequest::record("Leads", "1")).unwrap();
    hidden(&[
        &client.composite(&batch).await.unwrap(),
        &client
            .convert_lead("1", &Conversion::default())
            .await
            .unwrap(),
    ]);
}
